package qemu

import (
	"bufio"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

// Initramfs is a root file system for the guest, in the cpio format "newc"
// (Documentation/driver-api/early-userspace/buffer-format.rst). It needs no
// root rights to make, unlike device nodes on a real file system.
type Initramfs struct {
	entries []entry
	known   map[string]bool
}

type entry struct {
	name         string
	mode         uint32
	major, minor uint32
	data         []byte
	source       string // a file to read instead of data
}

const (
	modeDir  = 0o040000
	modeChar = 0o020000
	modeFile = 0o100000
	modeLink = 0o120000
)

// NewInitramfs has what the kernel and the Go runtime need before /dev is
// mounted.
func NewInitramfs() *Initramfs {
	a := &Initramfs{known: map[string]bool{"": true, ".": true, "/": true}}
	a.add(entry{name: "dev/console", mode: modeChar | 0o600, major: 5, minor: 1})
	a.add(entry{name: "dev/null", mode: modeChar | 0o666, major: 1, minor: 3})
	return a
}

// File adds a file.
func (a *Initramfs) File(name string, perm uint32, data []byte) {
	a.add(entry{name: name, mode: modeFile | perm, data: data})
}

// Copy adds a file of this machine.
func (a *Initramfs) Copy(name string, perm uint32, source string) {
	a.add(entry{name: name, mode: modeFile | perm, source: source})
}

// Dir adds an empty folder.
func (a *Initramfs) Dir(name string, perm uint32) { a.add(entry{name: name, mode: modeDir | perm}) }

// Link adds a symbolic link.
func (a *Initramfs) Link(name, target string) {
	a.add(entry{name: name, mode: modeLink | 0o777, data: []byte(target)})
}

// Tree adds a folder of this machine with all that is in it, but for what skip
// says, which gets paths within source.
func (a *Initramfs) Tree(name, source string, skip func(name string) bool) error {
	return filepath.WalkDir(source, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		inside, err := filepath.Rel(source, file)
		if err != nil {
			return err
		}
		to := path.Join(name, filepath.ToSlash(inside))
		switch {
		case inside != "." && skip(filepath.ToSlash(inside)):
			if d.IsDir() {
				return fs.SkipDir
			}
		case d.IsDir():
			a.Dir(to, 0o755)
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(file)
			if err != nil {
				return err
			}
			a.Link(to, target)
		case d.Type().IsRegular():
			info, err := d.Info()
			if err != nil {
				return err
			}
			a.Copy(to, uint32(info.Mode().Perm()), file)
		}
		return nil
	})
}

func (a *Initramfs) add(e entry) {
	e.name = strings.TrimPrefix(path.Clean("/"+e.name), "/")
	if dir := path.Dir(e.name); !a.known[dir] {
		a.Dir(dir, 0o755)
	}
	if a.known[e.name] {
		return
	}
	a.known[e.name] = true
	a.entries = append(a.entries, e)
}

// Write writes the archive.
func (a *Initramfs) Write(to io.Writer) error {
	w := bufio.NewWriterSize(to, 1<<20)
	for i, e := range append(a.entries, entry{name: "TRAILER!!!"}) {
		data := e.data
		if e.source != "" {
			var err error
			if data, err = os.ReadFile(e.source); err != nil {
				return err
			}
		}
		links := 1
		fmt.Fprintf(w, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", i+1, e.mode, 0, 0, links, 0,
			len(data), 0, 0, e.major, e.minor, len(e.name)+1, 0)
		w.WriteString(e.name)
		w.Write(make([]byte, 1+pad(110+len(e.name)+1)))
		w.Write(data)
		w.Write(make([]byte, pad(len(data))))
	}
	return w.Flush()
}

// pad is how many bytes are missing to a multiple of four.
func pad(n int) int { return -n & 3 }

// WriteFile writes the archive to a file.
func (a *Initramfs) WriteFile(name string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	if err := a.Write(f); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}
