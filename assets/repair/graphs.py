"""Small graphs: dictionaries of each node's neighbours, and grids."""


# inputs: graph(2, 6), node(0), node(0)
def shortest_way(graph, start, goal):
    """Return the number of edges of a shortest way from start to goal; -1 if there is none."""
    distances = {start: 0}
    waiting = [start]
    while waiting:
        node = waiting.pop(0)
        if node == goal:
            return distances[node]
        for neighbour in graph[node]:
            if neighbour not in distances:
                distances[neighbour] = distances[node] + 1
                waiting.append(neighbour)
    return -1


# inputs: graph(1, 6), node(0)
def reachable(graph, start):
    """Return the nodes that can be reached from start, itself included, in alphabetical order."""
    seen = set()
    waiting = [start]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            for neighbour in graph[node]:
                waiting.append(neighbour)
    return sorted(seen)


# inputs: graph(1, 6)
def has_cycle(graph):
    """Tell whether some way along the edges comes back to where it began."""
    state = {}

    def visit(node):
        if node in state:
            return state[node] == "open"
        state[node] = "open"
        for neighbour in graph[node]:
            if visit(neighbour):
                return True
        state[node] = "done"
        return False

    for node in sorted(graph):
        if visit(node):
            return True
    return False


# inputs: acyclic(1, 6)
def dependency_order(needs):
    """Return all nodes so that each stands after those that it needs; of those that are ready the first in the alphabet."""
    order = []
    while len(order) < len(needs):
        for node in sorted(needs):
            if node not in order and all(needed in order for needed in needs[node]):
                order.append(node)
                break
    return order


# inputs: matrix(1, 4, 1, 5, 0, 1)
def count_islands(grid):
    """Return how many islands there are: ones of the grid that join above, below, left or right are one."""
    seen = set()
    islands = 0
    for row in range(len(grid)):
        for column in range(len(grid[0])):
            if grid[row][column] == 0 or (row, column) in seen:
                continue
            islands += 1
            waiting = [(row, column)]
            while waiting:
                r, c = waiting.pop()
                if r < 0 or c < 0 or r >= len(grid) or c >= len(grid[0]):
                    continue
                if grid[r][c] == 0 or (r, c) in seen:
                    continue
                seen.add((r, c))
                waiting += [(r + 1, c), (r - 1, c), (r, c + 1), (r, c - 1)]
    return islands


# inputs: graph(1, 6)
def degrees(graph):
    """Return for each node how many edges lead to it, less how many lead away from it."""
    found = {}
    for node in graph:
        found[node] = found.get(node, 0) - len(graph[node])
        for neighbour in graph[node]:
            found[neighbour] = found.get(neighbour, 0) + 1
    return found


# inputs: edges(1, 7)
def connected_groups(edges):
    """Return the groups of nodes that edges [a, b] join, each in alphabetical order, and the groups in order of their first."""
    groups = []
    for a, b in edges:
        joined = {a, b}
        others = []
        for group in groups:
            if a in group or b in group:
                joined = joined | group
            else:
                others.append(group)
        groups = others + [joined]
    return sorted(sorted(group) for group in groups)


# inputs: weighted(2, 5), node(0), node(0)
def cheapest_way(graph, start, goal):
    """Return the least total cost of a way from start to goal, where graph[a][b] is the cost from a to b; -1 if there is none."""
    costs = {start: 0}
    done = set()
    while True:
        open_nodes = [node for node in sorted(costs) if node not in done]
        if not open_nodes:
            return -1
        node = min(open_nodes, key=lambda name: costs[name])
        if node == goal:
            return costs[node]
        done.add(node)
        for neighbour in graph[node]:
            cost = costs[node] + graph[node][neighbour]
            if neighbour not in costs or cost < costs[neighbour]:
                costs[neighbour] = cost


# inputs: graph(1, 6)
def can_be_two_colored(graph):
    """Tell whether the nodes can get two colors so that every edge joins two nodes of different colors."""
    colors = {}
    for first in sorted(graph):
        if first in colors:
            continue
        colors[first] = 0
        waiting = [first]
        while waiting:
            node = waiting.pop()
            for other in sorted(graph):
                if other in graph[node] or node in graph[other]:
                    if other not in colors:
                        colors[other] = 1 - colors[node]
                        waiting.append(other)
                    elif colors[other] == colors[node]:
                        return False
    return True


# inputs: matrix(1, 4, 1, 4, 0, 9)
def cheapest_descent(grid):
    """Return the least sum of a way from the top left to the bottom right that goes right or down at each step."""
    sums = []
    for row in range(len(grid)):
        line = []
        for column in range(len(grid[0])):
            before = []
            if row > 0:
                before.append(sums[row - 1][column])
            if column > 0:
                before.append(line[column - 1])
            line.append(grid[row][column] + min(before, default=0))
        sums.append(line)
    return sums[-1][-1]
