package house

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// makers are the functions of package os that make files and folders. OpenFile does with
// O_CREATE only, which the other check looks for.
var makers = map[string]bool{"Create": true, "CreateTemp": true, "Mkdir": true, "MkdirAll": true, "MkdirTemp": true, "WriteFile": true}

// TestStateIsMadeInOnePlace: what outlives the process is made by mqttlink/durable, which
// gives it to the owner of the folder when root makes it. A file made elsewhere would lock
// a service out of its own folder.
func TestStateIsMadeInOnePlace(t *testing.T) {
	seen := 0
	for _, room := range []string{"agent", "camera", "flow", "mqttlink"} {
		err := filepath.WalkDir(filepath.Join("../..", room), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.Contains(path, "mqttlink/durable") {
				return err
			}
			seen++
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if name := makes(n); name != "" {
					t.Errorf("%s calls os.%s: use package durable, which knows whose the folder is", path, name)
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if seen < 50 {
		t.Errorf("only %d files were looked at", seen)
	}
}

// makes returns the function of package os by which n makes a file, or "".
func makes(n ast.Node) string {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return ""
	}
	f, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	if p, ok := f.X.(*ast.Ident); !ok || p.Name != "os" {
		return ""
	}
	if makers[f.Sel.Name] {
		return f.Sel.Name
	}
	creates := false
	if f.Sel.Name == "OpenFile" {
		ast.Inspect(call, func(n ast.Node) bool {
			s, ok := n.(*ast.SelectorExpr)
			creates = creates || ok && s.Sel.Name == "O_CREATE"
			return true
		})
	}
	if creates {
		return f.Sel.Name
	}
	return ""
}
