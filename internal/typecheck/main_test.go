package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wye-go/wye/internal/testkit"
)

// TestCheck type-checks modules whose package p compiles on Linux.
func TestCheck(t *testing.T) {
	t.Setenv("GOWORK", "off") // the modules lie outside the workspace
	rows := []struct {
		at    testkit.Line
		file  string // in p
		text  string
		wants string // of the error; none if it is empty
	}{
		{testkit.Here(), "f_windows.go", "func onWindows() int { return common() }", ""},
		{testkit.Here(), "f_windows.go", `func onWindows() int { return "" }`, "f_windows.go:3:31: cannot use"},
		{testkit.Here(), "f_windows.go", "func onWindows( {", "f_windows.go:3:17: expected"},
		{testkit.Here(), "f_windows.go", "func common() {}", "f_windows.go:3:6: common redeclared"},
		{testkit.Here(), "f_windows.go", `import _ "example.com/none"`, "go list: "},
		{testkit.Here(), "f_windows_test.go", "var _ = common() + onLinux()", "f_windows_test.go:3:20: undefined: onLinux"},
		{testkit.Here(), "f_linux.go", "func onLinux() int { return 1 }", ""},
		{testkit.Here(), "f_darwin.go", `func onDarwin() int { return "" }`, ""},
		{testkit.Here(), "f.go", `import "syscall"; var _ = syscall.Kill`, "f.go:3:35: undefined: syscall.Kill"},
		// What another package imports is not checked below its declarations.
		{testkit.Here(), "../q/q.go", "func Imported() int { return common() }", ""},
		{testkit.Here(), "../q/q.go", "func Imported() nothing", "q.go:3:17: undefined: nothing"},
	}
	for _, row := range rows {
		t.Run(row.file, func(t *testing.T) {
			dir := t.TempDir()
			write(t, dir, "go.mod", "module m\n\ngo 1.26\n")
			write(t, dir, "p/f.go", "package p\n\nfunc common() int { return 1 }\n")
			write(t, dir, "p/q.go", "package p\n\nimport _ \"m/q\"\n")
			write(t, dir, "q/q.go", "package q\n")
			path := filepath.Join("p", row.file)
			write(t, dir, path, "package "+filepath.Base(filepath.Dir(path))+"\n\n"+row.text+"\n")

			named, all, err := check(dir, "windows/amd64", "./p")
			switch {
			case row.wants != "" && (err == nil || !strings.Contains(err.Error(), row.wants)):
				t.Errorf("%s: got %v, want an error with %q", row.at, err, row.wants)
			case row.wants == "" && (err != nil || named == 0 || all <= named):
				t.Errorf("%s: got %d packages of %d, and %v", row.at, named, all, err)
			}
		})
	}
	if _, _, err := check(t.TempDir(), "windows", "./..."); err == nil || !strings.Contains(err.Error(), "not a platform") {
		t.Errorf("a platform without an architecture: got %v", err)
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
