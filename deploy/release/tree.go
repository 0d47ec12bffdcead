package main

import (
	"bytes"
	"compress/gzip"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/goreleaser/nfpm/v2/files"
)

// tree collects the files of a package. Each belongs to root and has the time of the
// source, whatever the umask and the clock of the machine are.
type tree struct {
	scratch  string // a folder for the files that are made
	time     time.Time
	contents files.Contents
}

// add makes a file of the package with this text.
func (t *tree) add(path string, mode fs.FileMode, text []byte) error {
	name := filepath.Join(t.scratch, strconv.Itoa(len(t.contents)))
	if err := os.WriteFile(name, text, 0o600); err != nil {
		return err
	}
	t.copy(path, mode, name)
	return nil
}

// addCompressed does so with text that Debian wants compressed, as manual pages.
func (t *tree) addCompressed(path string, text []byte) error {
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.BestCompression) // its header has no name and no time
	if err != nil {
		return err
	}
	if _, err := z.Write(text); err != nil {
		return err
	}
	if err := z.Close(); err != nil {
		return err
	}
	return t.add(path+".gz", 0o644, b.Bytes())
}

// copy takes a file from the disk.
func (t *tree) copy(path string, mode fs.FileMode, from string) {
	t.contents = append(t.contents, &files.Content{
		Source: from, Destination: path, Type: files.TypeFile,
		FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: mode, MTime: t.time},
	})
}

// folder makes an empty one.
func (t *tree) folder(path string) {
	t.contents = append(t.contents, &files.Content{
		Destination: path, Type: files.TypeDir,
		FileInfo: &files.ContentFileInfo{Owner: "root", Group: "root", Mode: 0o755, MTime: t.time},
	})
}

// copyAll takes the files that match a pattern below the root of the source into a folder.
func (t *tree) copyAll(s source, pattern, folder string) error {
	names, err := s.files(pattern)
	if err != nil {
		return err
	}
	for _, name := range names {
		t.copy(folder+"/"+filepath.Base(name), 0o644, name)
	}
	return nil
}
