package house

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// code is one package of ours, read and type-checked, without its tests.
type code struct {
	path  string // "mqttlink/outbox"
	files []*ast.File
	names []string // of files, in the same order
	info  *types.Info
	types *types.Package
}

var readOnce = sync.OnceValues(readAll)

// source is the type-checked code of all packages but the tests', in order of path.
func source(t *testing.T) []*code {
	t.Helper()
	all, err := readOnce()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("only %d packages were looked at", len(all))
	}
	return all
}

var fset = token.NewFileSet()

// readAll asks the go command for the compiled form of every package that ours import, so
// that only our own files are parsed.
func readAll() ([]*code, error) {
	list := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Export,Dir,GoFiles,CgoFiles,ImportMap", module+"...")
	var complaint bytes.Buffer
	list.Stderr = &complaint
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, complaint.Bytes())
	}
	type listed struct {
		ImportPath, Export, Dir string
		GoFiles                 []string
	}
	var ours []listed
	export := map[string]string{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		export[p.ImportPath] = p.Export
		if strings.HasPrefix(p.ImportPath, module) && top(p.ImportPath) != "test" && len(p.GoFiles) > 0 {
			ours = append(ours, p)
		}
	}
	compiled := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(export[path]) })
	var all []*code
	for _, p := range ours {
		c := &code{path: strings.TrimPrefix(p.ImportPath, module), names: p.GoFiles}
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				return nil, err
			}
			c.files = append(c.files, file)
		}
		c.info = &types.Info{Uses: map[*ast.Ident]types.Object{}, Types: map[ast.Expr]types.TypeAndValue{}}
		conf := types.Config{Importer: compiled}
		if c.types, err = conf.Check(p.ImportPath, fset, c.files, c.info); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	slices.SortFunc(all, func(a, b *code) int { return strings.Compare(a.path, b.path) })
	return all, nil
}

// shrink compares what was found with the list of what is known to be too much. The list
// may only shrink: what is better than listed has to leave it, or its number has to fall.
func shrink(t *testing.T, what string, found, todo map[string]int, why map[string]string) {
	t.Helper()
	for _, at := range slices.Sorted(maps.Keys(found)) {
		n := found[at]
		switch was := todo[at]; {
		case n > was:
			t.Errorf("%s: %d %s, listed are %d\n%s", at, n, what, was, why[at])
		case n < was:
			t.Errorf("%s: %d %s, less than the %d that todo lists: lower the number", at, n, what, was)
		}
	}
	for at, was := range todo {
		if found[at] == 0 {
			t.Errorf("%s: no longer %d %s: take it off the list todo", at, was, what)
		}
	}
}
