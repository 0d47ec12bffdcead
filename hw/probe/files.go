package probe

import (
	"context"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Files is a machine's file tree, of which devfs, sysfs and procfs are read.
// All paths are given as they are on the machine ("/dev/video0").
type Files struct{ fs.FS }

// Package fs looks for more methods than Open, so its functions are given f.FS itself.

// nothing is the file tree of a board without a machine.
type nothing struct{}

func (nothing) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func local(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// maxText bounds what is read of one file: sysfs attributes are a page at most.
const maxText = 64 << 10

// Text returns what is in a small file, "" when it cannot be read.
func (f Files) Text(name string) string {
	file, err := f.Open(local(name))
	if err != nil {
		return ""
	}
	defer file.Close()
	b, err := io.ReadAll(io.LimitReader(file, maxText))
	if err != nil {
		return ""
	}
	return strings.Trim(string(b), "\x00 \n")
}

// Exists reports whether there is a file or folder of that name.
func (f Files) Exists(name string) bool {
	_, err := fs.Stat(f.FS, local(name))
	return err == nil
}

// List returns the full paths that match a pattern, in the order of the numbers
// that they end with.
func (f Files) List(pattern string) []string {
	names, _ := fs.Glob(f.FS, local(pattern))
	for i := range names {
		names[i] = "/" + names[i]
	}
	slices.SortStableFunc(names, func(a, b string) int { return Number(a) - Number(b) })
	return names
}

// Number is the number that a device's name ends with, -1 when none.
func Number(name string) int {
	n, err := strconv.Atoi(name[strings.LastIndexFunc(name, func(r rune) bool { return r < '0' || r > '9' })+1:])
	if err != nil {
		return -1
	}
	return n
}

// Resolve follows links: /dev/v4l/by-id/… to /dev/video0.
func (f Files) Resolve(name string) string {
	name = path.Clean("/" + name)
	for range 8 {
		to, err := fs.ReadLink(f.FS, local(name))
		if err != nil {
			break
		}
		if !path.IsAbs(to) {
			to = path.Join(path.Dir(name), to)
		}
		name = path.Clean(to)
	}
	return name
}

// Process is a running program.
type Process struct {
	PID  int
	Name string
}

// own is the name of this program's processes, as the kernel cuts it.
const own = "pithings"

// Holders lists the other processes that have a device node open, as far as
// this user may see.
func (f Files) Holders(ctx context.Context, node string, self int) []Process {
	node = f.Resolve(node)
	entries, _ := fs.ReadDir(f.FS, "proc")
	var found []Process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == self || ctx.Err() != nil {
			continue
		}
		files, _ := fs.ReadDir(f.FS, path.Join("proc", e.Name(), "fd"))
		if slices.ContainsFunc(files, func(open fs.DirEntry) bool {
			to, err := fs.ReadLink(f.FS, path.Join("proc", e.Name(), "fd", open.Name()))
			return err == nil && to == node
		}) {
			found = append(found, Process{pid, f.Text(path.Join("proc", e.Name(), "comm"))})
		}
	}
	return found
}
