package doctor

import (
	"context"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// root is the machine's file tree, of which devfs, sysfs and procfs are read.
// All paths are given as they are on the machine ("/dev/video0").
type root struct{ fs.FS }

// fs looks for more methods than Open, so it is given r.FS itself below.

// nothing is the file tree of a board without a machine.
type nothing struct{}

func (nothing) Open(name string) (fs.File, error) {
	return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
}

func local(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// maxText bounds what is read of one file: sysfs attributes are a page at most.
const maxText = 64 << 10

// text is what a small file says, "" when it cannot be read.
func (r root) text(name string) string {
	f, err := r.Open(local(name))
	if err != nil {
		return ""
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxText))
	if err != nil {
		return ""
	}
	return strings.Trim(string(b), "\x00 \n")
}

func (r root) exists(name string) bool {
	_, err := fs.Stat(r.FS, local(name))
	return err == nil
}

// list gives the full paths that match a pattern, in the order of the numbers
// that they end with.
func (r root) list(pattern string) []string {
	names, _ := fs.Glob(r.FS, local(pattern))
	for i := range names {
		names[i] = "/" + names[i]
	}
	slices.SortStableFunc(names, func(a, b string) int { return number(a) - number(b) })
	return names
}

// number is the number that a device's name ends with, -1 when none.
func number(name string) int {
	n, err := strconv.Atoi(name[strings.LastIndexFunc(name, func(r rune) bool { return r < '0' || r > '9' })+1:])
	if err != nil {
		return -1
	}
	return n
}

// resolve follows links: /dev/v4l/by-id/… to /dev/video0.
func (r root) resolve(name string) string {
	name = path.Clean("/" + name)
	for range 8 {
		to, err := fs.ReadLink(r.FS, local(name))
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

// process is a running program.
type process struct {
	pid  int
	name string
}

// own is the name of this program's processes, as the kernel cuts it.
const own = "pithings"

// holders lists the other processes that have a device node open, as far as
// this user may see.
func (r root) holders(ctx context.Context, node string, self int) []process {
	node = r.resolve(node)
	entries, _ := fs.ReadDir(r.FS, "proc")
	var found []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == self || ctx.Err() != nil {
			continue
		}
		files, _ := fs.ReadDir(r.FS, path.Join("proc", e.Name(), "fd"))
		if slices.ContainsFunc(files, func(f fs.DirEntry) bool {
			to, err := fs.ReadLink(r.FS, path.Join("proc", e.Name(), "fd", f.Name()))
			return err == nil && to == node
		}) {
			found = append(found, process{pid, r.text(path.Join("proc", e.Name(), "comm"))})
		}
	}
	return found
}
