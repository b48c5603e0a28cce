package matrix_test

import (
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/wye-go/wye/protocol"
)

// document is docs/deployment.md.
func document(tb testing.TB) string {
	tb.Helper()
	b, err := os.ReadFile("../../docs/deployment.md")
	if err != nil {
		tb.Fatal(err)
	}
	return string(b)
}

// blocks are the document's fenced blocks in a language.
func blocks(tb testing.TB, language string) (found []string) {
	tb.Helper()
	fence := regexp.MustCompile("(?ms)^```" + language + "\n(.*?)^```$")
	for _, m := range fence.FindAllStringSubmatch(document(tb), -1) {
		found = append(found, m[1])
	}
	if len(found) == 0 {
		tb.Fatalf("docs/deployment.md has no block of %s", language)
	}
	return found
}

// replace replaces what has to be there: pairs of old and new in turn.
func replace(tb testing.TB, text string, pairs ...string) string {
	tb.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			tb.Fatalf("docs/deployment.md does not say %q any more; the tests rely on it", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// TestDocumentedLimits compares the table of bounds with what the library does.
func TestDocumentedLimits(t *testing.T) {
	t.Parallel()
	rows := regexp.MustCompile("(?m)^\\| `Limits\\.(\\w+)` \\| ([^|]+) \\|").FindAllStringSubmatch(document(t), -1)
	if len(rows) < 5 {
		t.Fatalf("the table has %d rows with Limits", len(rows))
	}
	limits := reflect.ValueOf(protocol.Limits{}.WithDefaults())
	for _, row := range rows {
		if f := limits.FieldByName(row[1]); row[2] == "none" {
			if !f.IsValid() || !f.IsZero() {
				t.Errorf("Limits.%s is not none by default", row[1])
			}
			continue
		}
		want := strings.NewReplacer(" MiB", " 1048576", " KiB", " 1024", ",", "", "MaxMessage", "1 1048576").Replace(row[2])
		n := int64(1)
		for factor := range strings.FieldsSeq(want) {
			f, err := strconv.ParseInt(factor, 10, 64)
			if err != nil {
				t.Fatalf("%s: the default %q is no number", row[1], row[2])
			}
			n *= f
		}
		switch f := limits.FieldByName(row[1]); {
		case !f.IsValid():
			t.Errorf("protocol.Limits has no %s", row[1])
		case f.Int() != n:
			t.Errorf("Limits.%s is %d by default, not %s", row[1], f.Int(), row[2])
		}
	}
}
