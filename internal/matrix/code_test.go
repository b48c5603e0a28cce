package matrix_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/wye-go/wye/internal/testkit"
)

// root is the repository.
const root = "../.."

// fence opens or closes a block of code in Markdown.
var fence = regexp.MustCompile("^[ \t]*(`{3,}|~{3,})[ \t]*([^ \t`]*)")

// named is the comment in front of a block: the file that has the block in it.
var named = regexp.MustCompile(`<!-- code: (\S+) -->$`)

// TestDocumentedGo is that every block of Go in the documentation stands in a
// file that is compiled, mostly in a test that runs it, and that every block of Python
// behind a comment stands in the file that the comment names.
func TestDocumentedGo(t *testing.T) {
	t.Parallel()
	source := os.DirFS(root)
	seen := 0
	for _, doc := range documents(t, source) {
		text, err := fs.ReadFile(source, doc)
		if err != nil {
			t.Fatal(err)
		}
		blocks, complaints := undocumented(source, string(text))
		seen += blocks
		for _, c := range complaints {
			t.Errorf("%s:%s", doc, c)
		}
	}
	if seen == 0 {
		t.Error("the documentation has no block of Go")
	}
}

// documents are the repository's Markdown files.
func documents(t *testing.T, source fs.FS) (found []string) {
	t.Helper()
	err := fs.WalkDir(source, ".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && slices.Contains([]string{".git", ".tmp", "node_modules"}, d.Name()):
			return fs.SkipDir
		case strings.HasSuffix(path, ".md"):
			found = append(found, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// undocumented looks at the blocks of Go in a document, of which it returns the
// number, and at those of Python that a comment names a source for. It says what is wrong
// with them: "line: what".
func undocumented(source fs.FS, text string) (blocks int, complaints []string) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		open := fence.FindStringSubmatch(lines[i])
		if open == nil {
			continue
		}
		end := i + 1
		for end < len(lines) && !closes(lines[end], open[1]) {
			end++
		}
		comment, c := before(lines[:i]), ""
		switch strings.ToLower(open[2]) {
		case "go", "golang":
			blocks++
			c = wrong(source, comment, lines[i+1:end], ".go")
		case "python":
			if named.MatchString(comment) {
				c = wrong(source, comment, lines[i+1:end], ".py")
			}
		}
		if c != "" {
			complaints = append(complaints, fmt.Sprintf("%d: %s", i+1, c))
		}
		i = end
	}
	return blocks, complaints
}

// closes reports whether line ends the block that mark began.
func closes(line, mark string) bool {
	line = strings.TrimSpace(line)
	return len(line) >= len(mark) && strings.Trim(line, mark[:1]) == ""
}

// before is the last line that is not empty.
func before(lines []string) string {
	for _, line := range slices.Backward(lines) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return ""
}

// wrong says what is wrong with a block behind a comment, or "".
func wrong(source fs.FS, comment string, block []string, ext string) string {
	m := named.FindStringSubmatch(comment)
	if m == nil {
		return "no comment in front of the block names its source: <!-- code: dir/file.go -->"
	}
	file := m[1]
	if filepath.Ext(file) != ext || !compiled(file) {
		return file + " is no file that `make test` compiles"
	}
	b, err := fs.ReadFile(source, file)
	if err != nil {
		return err.Error()
	}
	want := dedent(block)
	if strings.TrimSpace(want) == "" {
		return "the block is empty"
	}
	lines := strings.Split(string(b), "\n")
	for i := range lines {
		switch {
		case strings.HasPrefix(lines[i], "//go:build"):
			return file + " is not compiled everywhere: it has a build constraint"
		case i+len(block) <= len(lines) && dedent(lines[i:i+len(block)]) == want:
			return ""
		}
	}
	return "this is not in " + file + ":\n" + want
}

// compiled reports whether the go command looks at a file's folder.
func compiled(file string) bool {
	for element := range strings.SplitSeq(file, "/") {
		if element == "testdata" || strings.HasPrefix(element, ".") || strings.HasPrefix(element, "_") {
			return false
		}
	}
	return fs.ValidPath(file)
}

// dedent takes away the white space that all lines begin with.
func dedent(lines []string) string {
	margin, first := "", true
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			continue
		}
		indent := line[:len(line)-len(strings.TrimLeft(line, " \t"))]
		if first {
			margin, first = indent, false
		}
		for !strings.HasPrefix(indent, margin) {
			margin = margin[:len(margin)-1]
		}
	}
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(strings.TrimRight(strings.TrimPrefix(line, margin), " \t") + "\n")
	}
	return b.String()
}

// codeSource is what the documents of TestUndocumented name.
const codeSource = `package p

func f() {
	if true {
		g()

		h()
	}
}
`

// TestUndocumented is that the check of TestDocumentedGo complains.
func TestUndocumented(t *testing.T) {
	t.Parallel()
	source := fstest.MapFS{
		"dir/p.go":          {Data: []byte(codeSource)},
		"dir/p.txt":         {Data: []byte(codeSource)},
		"dir/p.py":          {Data: []byte("def f():\n    g()\n    h()\n")},
		"dir/testdata/p.go": {Data: []byte(codeSource)},
		"dir/p_linux.go":    {Data: []byte("//go:build linux\n\n" + codeSource)},
	}
	const name = "<!-- code: dir/p.go -->\n"
	for _, row := range []struct {
		name string
		at   testkit.Line
		text string
		want string // the beginning of the complaint
	}{
		{"as it is", testkit.Here(), name + "```go\n" + codeSource + "```\n", ""},
		{"a part", testkit.Here(), name + "```go\nfunc f() {\n\tif true {\n```\n", ""},
		{"indented less", testkit.Here(), name + "```go\ng()\n\nh()\n```\n", ""},
		{"indented more", testkit.Here(), "1. text\n\n   " + name + "   ```go\n   g()\n   ```\n", ""},
		{"the end of a part", testkit.Here(), name + "```go\n\tg()\n\n\th()\n}\n```\n", ""},
		{"the comment after a tag", testkit.Here(), "<td>" + name + "\n```go\ng()\n```\n", ""},
		{"tildes", testkit.Here(), name + "~~~go\ng()\n~~~\n", ""},
		{"another language", testkit.Here(), "```python\nimport this\n```\n\n```\ngo\n```\n", ""},
		{"Python", testkit.Here(), "<!-- code: dir/p.py -->\n```python\ng()\nh()\n```\n", ""},
		{"inside another block", testkit.Here(), "````md\n```go\nx()\n```\n````\n", ""},

		{"a word changed", testkit.Here(), name + "```go\ng()\n\ni()\n```\n", "2: this is not in dir/p.go"},
		{"a line left out", testkit.Here(), name + "```go\ng()\nh()\n```\n", "2: this is not in dir/p.go"},
		{"a line too many", testkit.Here(), name + "```go\n" + codeSource + "\nfunc g()\n```\n", "2: this is not in dir/p.go"},
		{"half a line", testkit.Here(), name + "```go\nif true\n```\n", "2: this is not in dir/p.go"},
		{"indented otherwise", testkit.Here(), name + "```go\nif true {\ng()\n```\n", "2: this is not in dir/p.go"},
		{"nothing", testkit.Here(), name + "```go\n```\n", "2: the block is empty"},
		{"no comment", testkit.Here(), "text\n\n```go\ng()\n```\n", "3: no comment"},
		{"a comment for the block before", testkit.Here(), name + "```go\ng()\n```\n\n```go\nh()\n```\n", "6: no comment"},
		{"text after the comment", testkit.Here(), name + "As here:\n\n```go\ng()\n```\n", "4: no comment"},
		{"no such file", testkit.Here(), "<!-- code: dir/q.go -->\n```go\ng()\n```\n", "2: open dir/q.go"},
		{"Python that is not there", testkit.Here(), "<!-- code: dir/p.py -->\n```python\ni()\n```\n", "2: this is not in dir/p.py"},
		{"Python in a file of Go", testkit.Here(), name + "```python\ng()\n```\n", "2: dir/p.go is no file"},
		{"Go in a file of Python", testkit.Here(), "<!-- code: dir/p.py -->\n```go\ng()\n```\n", "2: dir/p.py is no file"},
		{"no Go", testkit.Here(), "<!-- code: dir/p.txt -->\n```go\ng()\n```\n", "2: dir/p.txt is no file"},
		{"test data", testkit.Here(), "<!-- code: dir/testdata/p.go -->\n```go\ng()\n```\n", "2: dir/testdata/p.go is no file"},
		{"outside", testkit.Here(), "<!-- code: ../p.go -->\n```go\ng()\n```\n", "2: ../p.go is no file"},
		{"build constraint", testkit.Here(), "<!-- code: dir/p_linux.go -->\n```go\ng()\n```\n", "2: dir/p_linux.go is not compiled"},
		{"golang", testkit.Here(), "```golang\ng()\n```\n", "1: no comment"},
		{"a word after the language", testkit.Here(), "``` Go {.x}\ng()\n```\n", "1: no comment"},
		{"the second block", testkit.Here(), name + "```go\ng()\n```\n\n" + name + "```go\nx()\n```\n", "7: this is not in dir/p.go"},
		{"no end", testkit.Here(), name + "```go\nx()\n", "2: this is not in dir/p.go"},
	} {
		_, got := undocumented(source, row.text)
		switch {
		case row.want == "" && len(got) > 0:
			t.Errorf("%s (%s): complains %q", row.name, row.at, got)
		case row.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], row.want)):
			t.Errorf("%s (%s): complains %q, want one that begins with %q", row.name, row.at, got, row.want)
		}
	}
}
