// Asks the real Lucene, as pyserini has Anserini set it up. `parity_webshop.py` runs it: java -cp ANSERINI_JAR Lucene.java FOLDER
// FOLDER/documents has a .json of {"id", "contents"} objects, FOLDER/asked.json {"texts", "queries", "k"}; FOLDER/answers.json gets
// {"tokens": a list a text, "hits": a list of [id, score] a query, "versions"}.

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.anserini.analysis.AnalyzerUtils;
import io.anserini.index.IndexCollection;
import io.anserini.search.ScoredDoc;
import io.anserini.search.SimpleSearcher;
import java.io.File;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

public class Lucene {
  public static void main(String[] args) throws Exception {
    String folder = args[0];
    IndexCollection.main(new String[] {
      "-collection", "JsonCollection", "-generator", "DefaultLuceneDocumentGenerator", "-threads", "1",
      "-input", folder + "/documents", "-index", folder + "/index"
    });
    ObjectMapper json = new ObjectMapper();
    JsonNode asked = json.readTree(new File(folder, "asked.json"));
    List<Object> tokens = new ArrayList<>();
    for (JsonNode text : asked.get("texts")) {
      tokens.add(AnalyzerUtils.analyze(text.asText()));
    }
    List<Object> hits = new ArrayList<>();
    try (SimpleSearcher searcher = new SimpleSearcher(folder + "/index")) {
      for (JsonNode query : asked.get("queries")) {
        List<Object> found = new ArrayList<>();
        for (ScoredDoc hit : searcher.search(query.asText(), asked.get("k").asInt())) {
          found.add(List.of(hit.docid, hit.score));
        }
        hits.add(found);
      }
    }
    String version = "Lucene " + org.apache.lucene.util.Version.LATEST;
    json.writeValue(new File(folder, "answers.json"), Map.of("tokens", tokens, "hits", hits, "versions", version));
  }
}
