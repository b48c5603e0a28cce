// Command typecheck type-checks modules, their tests, and everything that they import, for
// platforms other than this one. It generates no code: type-checking takes seconds where
// go build and go vet, which compile all dependencies for the platform first, take minutes.
//
// Usage: go run ./internal/typecheck GOOS/GOARCH[,GOOS/GOARCH...] DIRECTORY...
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) < 3 {
		fmt.Fprintln(os.Stderr, "usage: typecheck GOOS/GOARCH[,GOOS/GOARCH...] DIRECTORY...")
		os.Exit(2)
	}
	for platform := range strings.SplitSeq(os.Args[1], ",") {
		for _, dir := range os.Args[2:] {
			named, all, err := check(dir, platform, "./...")
			if err != nil {
				fmt.Fprintf(os.Stderr, "%v\ntypecheck: %s does not compile for %s\n", err, dir, platform)
				os.Exit(1)
			}
			fmt.Fprintf(os.Stderr, "==> %s: %d packages and %d that they import [%s]\n", platform, named, all-named, dir)
		}
	}
}

// listed is a package as go list describes it. The variant of a package that is compiled for
// a test has an ImportPath of its own: "path [path.test]".
type listed struct {
	ImportPath string            `json:"ImportPath"`
	Dir        string            `json:"Dir"`
	DepOnly    bool              `json:"DepOnly"` // the pattern does not match it
	GoFiles    []string          `json:"GoFiles"`
	ImportMap  map[string]string `json:"ImportMap"` // from the path in the source to the ImportPath, where they differ
	Module     *module           `json:"Module"`    // nil for the standard library
}

type module struct {
	GoVersion string `json:"GoVersion"`
}

// check type-checks the packages that pattern matches in dir, tests included, and reports
// how many they are, and how many with their dependencies. The error holds all that is wrong
// with one package.
func check(dir, platform, pattern string) (named, all int, err error) {
	list, err := goList(dir, platform, pattern)
	if err != nil {
		return 0, 0, err
	}
	_, arch, _ := strings.Cut(platform, "/")
	done := map[string]*types.Package{"unsafe": types.Unsafe}
	for dec := json.NewDecoder(strings.NewReader(list)); ; { // dependencies come first
		var p listed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return named, len(done), nil
		} else if err != nil {
			return 0, 0, err
		}
		if p.ImportPath == "unsafe" || strings.HasSuffix(p.ImportPath, ".test") {
			continue // the program that go test generates has no file yet
		}
		if done[p.ImportPath], err = p.check(arch, done); err != nil {
			return 0, 0, err
		}
		if !p.DepOnly {
			named++
		}
	}
}

func goList(dir, platform, pattern string) (string, error) {
	goos, arch, ok := strings.Cut(platform, "/")
	if !ok {
		return "", fmt.Errorf("%q is not a platform such as windows/amd64", platform)
	}
	//nolint:gosec // the pattern is main's, or that of a test
	cmd := exec.CommandContext(context.Background(),
		"go", "list", "-deps", "-test", "-json=ImportPath,Dir,DepOnly,GoFiles,ImportMap,Module", pattern)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+arch)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	return string(out), nil
}

// check type-checks p, whose dependencies are in done. Bodies of functions are checked only
// in packages that the pattern matches.
func (p *listed) check(arch string, done map[string]*types.Package) (*types.Package, error) {
	fset := token.NewFileSet()
	files := make([]*ast.File, len(p.GoFiles))
	for i, name := range p.GoFiles {
		var err error
		if files[i], err = parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution); err != nil {
			return nil, err
		}
	}
	var errs []error
	conf := types.Config{
		Importer:         importer{p, done},
		Sizes:            types.SizesFor("gc", arch),
		IgnoreFuncBodies: p.DepOnly,
		Error:            func(err error) { errs = append(errs, err) },
	}
	if p.Module != nil && p.Module.GoVersion != "" {
		conf.GoVersion = "go" + p.Module.GoVersion
	}
	path, _, _ := strings.Cut(p.ImportPath, " ")
	checked, err := conf.Check(path, fset, files, nil)
	if err != nil {
		return nil, errors.Join(errs...)
	}
	return checked, nil
}

// importer finds what p imports among the packages that have been checked.
type importer struct {
	p    *listed
	done map[string]*types.Package
}

func (i importer) Import(path string) (*types.Package, error) {
	if to, ok := i.p.ImportMap[path]; ok {
		path = to
	}
	if found := i.done[path]; found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("go list has not listed %s", path)
}
