package rule

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"pithings/gateway/script"
	"pithings/mqttlink/durable"
)

// The bounds of a script's own folder.
const (
	maxFile  = 256 << 10 // bytes of a file
	maxFiles = 32
)

// files is the folder of a script, which is made by its first file.
type files struct{ dir string }

func newFiles(folder, kind, name string) *files {
	return &files{filepath.Join(folder, "scripts", kind+"-"+url.PathEscape(name))}
}

// files are those of the script; without a state folder it has none.
func (p *program) files() *files {
	if p.env.Folder == "" {
		return &files{}
	}
	return newFiles(p.env.Folder, p.kind, p.name)
}

// path is that of a file. Its name is one element: no script leaves its folder.
func (f *files) path(name string) (string, error) {
	switch {
	case f.dir == "":
		return "", fmt.Errorf("%s: this program has no state folder: %w", name, fs.ErrPermission)
	case name == "" || name == "." || name == ".." || len(name) > 100 || strings.ContainsAny(name, "/\\\x00:") || strings.HasSuffix(name, ".new"):
		return "", fmt.Errorf("%.100q: a script has a folder of its own; give the name of a file without a path: %w", name, fs.ErrPermission)
	}
	return filepath.Join(f.dir, name), nil
}

// Read implements script.Files.
func (f *files) Read(name string, most int) ([]byte, error) {
	at, err := f.path(name)
	if err != nil {
		return nil, err
	}
	return durable.ReadFile(at, int64(min(most, maxFile)))
}

// Write implements script.Files.
func (f *files) Write(name string, content []byte) error {
	at, err := f.path(name)
	if err != nil {
		return err
	}
	if len(content) > maxFile {
		return fmt.Errorf("%s: a file has at most %d bytes", name, maxFile)
	}
	there, err := f.List()
	if err != nil {
		return err
	}
	if len(there) >= maxFiles && !slices.Contains(there, name) {
		return fmt.Errorf("%s: a script has at most %d files", name, maxFiles)
	}
	if err := durable.MakeFolder(f.dir); err != nil {
		return err
	}
	return durable.Replace(at, content)
}

// Remove implements script.Files.
func (f *files) Remove(name string) error {
	at, err := f.path(name)
	if err != nil {
		return err
	}
	return os.Remove(at)
}

// List implements script.Files.
func (f *files) List() (names []string, err error) {
	if f.dir == "" {
		return nil, nil
	}
	all, err := os.ReadDir(f.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range all {
		if e.Type().IsRegular() && !strings.HasSuffix(e.Name(), ".new") {
			names = append(names, e.Name())
		}
	}
	return names, err
}

// writeFile is faas_write_file. Of the path only the name of the file counts.
func (p *program) writeFile(at, mode, content script.Value) error {
	name, err := text(at, "filePath")
	if err != nil {
		return err
	}
	name = path.Base(name)
	written := ""
	if content != nil {
		if written, err = text(content, "data"); err != nil {
			return err
		}
	}
	if m, ok := mode.(script.Str); ok && strings.HasPrefix(string(m), "a") {
		before, err := p.files().Read(name, maxFile)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return script.Exception("OSError", err.Error())
		}
		written = string(before) + written
	}
	if err := p.files().Write(name, []byte(written)); err != nil {
		return script.Exception("OSError", err.Error())
	}
	return nil
}
