// Command build makes the files of the page (dashboard/assets) from their sources (dashboard/page):
// one script and one style sheet, small and compressed, so that the agent only hands them out.
//
//	go -C dashboard/build run .
//
// It is a module of its own: who builds pithings needs neither it nor Node.
package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

func main() {
	if err := run("../page", "../assets"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	files, err := build(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	for name, text := range files {
		var small bytes.Buffer
		z, err := gzip.NewWriterLevel(&small, gzip.BestCompression)
		if err != nil {
			return err
		}
		if _, err := z.Write(text); err != nil {
			return err
		}
		if err := z.Close(); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name+".gz"), small.Bytes(), 0o644); err != nil {
			return err
		}
		fmt.Printf("%7d bytes, %6d compressed  %s\n", len(text), small.Len(), name)
	}
	return nil
}

// build returns the files of the page by name.
func build(from string) (map[string][]byte, error) {
	files := map[string][]byte{}
	for _, name := range []string{"index.html", "icon.svg"} {
		text, err := os.ReadFile(filepath.Join(from, name))
		if err != nil {
			return nil, err
		}
		files[name] = text
	}
	made := api.Build(api.BuildOptions{
		EntryPoints: []string{filepath.Join(from, "page.js"), filepath.Join(from, "plot.js"), filepath.Join(from, "style.css")},
		Bundle:      true, Format: api.FormatESModule, Outdir: "out", Outbase: from,
		// What browsers of the last four years can do.
		Target:           api.ES2021,
		MinifyWhitespace: true, MinifyIdentifiers: true, MinifySyntax: true, Charset: api.CharsetUTF8,
		LegalComments: api.LegalCommentsInline,
		// The library of charts is fetched when it is needed.
		External: []string{"./plot.js"},
	})
	var problems []error
	for _, m := range append(made.Errors, made.Warnings...) {
		problems = append(problems, fmt.Errorf("%s:%d: %s", m.Location.File, m.Location.Line, m.Text))
	}
	if err := errors.Join(problems...); err != nil {
		return nil, err
	}
	for _, f := range made.OutputFiles {
		files[strings.TrimPrefix(filepath.Base(f.Path), "out/")] = f.Contents
	}
	return files, nil
}
