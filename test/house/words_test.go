package house

import (
	"bytes"
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// dialect are words that most readers, who are not native speakers, stumble over, or that
// make a person of a program. What stands in quotes or as code is not looked at.
var dialect = map[string]string{
	"nobody":    "no subscriber, no client, no program",
	"somebody":  "another client, a program",
	"everybody": "every client, all",
	"anybody":   "any client",
	"tells":     "reports, returns, logs, shows",
	"is told":   "is notified, is reported",
	"are told":  "are notified, are reported",
	"goes on":   "continues",
	"given up":  "dropped",
	"gives up":  "ends, drops",
	"gives way": "is replaced",
	"believed":  "trusted",
	"he":        "it",
	"his":       "its",
}

// dialectTodo has the packages whose comments still hold such words. It may only shrink.
var dialectTodo = map[string]bool{}

// Comments and documents are in plain English, as far as a list of words can show it.
func TestNoDialect(t *testing.T) {
	list := make([]string, 0, len(dialect))
	for w := range dialect {
		list = append(list, strings.ReplaceAll(w, " ", `\s+`))
	}
	words := regexp.MustCompile(`(?i)\b(` + strings.Join(list, "|") + `)\b`)
	found := map[string]string{}
	look := func(at, file, text string) {
		for _, m := range words.FindAllString(quoted.ReplaceAllString(text, ""), -1) {
			m = strings.Join(strings.Fields(strings.ToLower(m)), " ")
			found[at] += "\n" + file + ": " + m + ": write " + dialect[m]
		}
	}
	pages := 0
	root := filepath.Join("..", "..")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		rel = filepath.ToSlash(rel)
		switch {
		case d.IsDir():
			if name := d.Name(); rel != "." && strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules" || name == "dist" || name == "bin" {
				return filepath.SkipDir
			}
			return nil
		case rel == "CHANGELOG.md" || rel == "test/house/words_test.go":
			return nil
		}
		switch filepath.Ext(path) {
		case ".go":
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			look(filepath.ToSlash(filepath.Dir(rel)), rel, comments(text))
		case ".md", ".service":
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			look(rel, rel, string(fenced.ReplaceAll(text, nil)))
			pages++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if pages < 20 {
		t.Fatalf("only %d pages were looked at", pages)
	}
	for at, words := range found {
		if !dialectTodo[at] {
			t.Errorf("%s is not in plain English:%s", at, words)
		}
	}
	for at := range dialectTodo {
		if found[at] == "" {
			t.Errorf("%s is in plain English: take it off the list dialectTodo", at)
		}
	}
}

// fenced are blocks of code in Markdown, and quoted what stands in quotes or as code.
var (
	fenced = regexp.MustCompile("(?s)```.*?```")
	quoted = regexp.MustCompile("`[^`\n]*`|\"[^\"\n]*\"|“[^”]*”")
)

// comments returns the comments of a Go file, one after the other, without their slashes.
func comments(text []byte) string {
	files := token.NewFileSet()
	var s scanner.Scanner
	s.Init(files.AddFile("", files.Base(), len(text)), text, nil, scanner.ScanComments)
	var all bytes.Buffer
	for {
		_, tok, lit := s.Scan()
		switch tok {
		case token.EOF:
			return all.String()
		case token.COMMENT:
			all.WriteString(strings.TrimLeft(lit, "/* "))
			all.WriteByte('\n')
		}
	}
}
