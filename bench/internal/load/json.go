package load

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// jsonShapes is how many different messages of JSON there are.
const jsonShapes = 61

// words are those of a chat.
var words = [...]string{
	"the", "of", "to", "and", "a", "in", "is", "it", "you", "that", "he", "was", "for", "on", "are", "with", "as", "at", "be", "this",
	"have", "from", "or", "one", "had", "by", "but", "not", "what", "all", "were", "we", "when", "your", "can", "said", "there",
	"server", "message", "deploy", "tomorrow", "meeting", "branch", "failed", "please", "review", "coffee", "room", "online", "thanks",
}

// writeJSON fills b with events of a chat, as a server sends them to a page. The last one is
// cut off.
func writeJSON(b []byte, seed uint64) {
	r := rand.New(rand.NewPCG(seed, 7692))
	for len(b) > 0 {
		text := make([]string, 4+r.IntN(9))
		for i := range text {
			text[i] = words[r.IntN(len(words))]
		}
		at := fmt.Sprintf("2026-11-%02dT%02d:%02d:%02d.%03dZ", 1+r.IntN(30), r.IntN(24), r.IntN(60), r.IntN(60), r.IntN(1000))
		id, user := 1_000_000+r.IntN(9_000_000), r.IntN(5000)
		b = b[copy(b, fmt.Appendf(nil, `{"type":"message","id":%d,"room":"general","user":{"id":%d,"name":"user-%d"},"at":"%s","text":"%s"},`,
			id, user, user, at, strings.Join(text, " "))):]
	}
}
