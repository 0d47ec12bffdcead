package kernel

import (
	"io/fs"
	"path"

	"pithings/sensors/internal/sysfs"
)

// folder is a device's folder, while it is looked at.
type folder struct {
	files *sysfs.Files
	path  string
	names map[string]bool // of the files in it
	list  []string        // the same, sorted
}

func openFolder(files *sysfs.Files, dir string) (*folder, error) {
	entries, err := fs.ReadDir(files.Root, dir)
	if err != nil {
		return nil, err
	}
	f := &folder{files: files, path: dir, names: map[string]bool{}}
	for _, e := range entries {
		f.names[e.Name()] = true
		f.list = append(f.list, e.Name())
	}
	return f, nil
}

// text returns a file's text, or "" if there is none that can be read.
func (f *folder) text(name string) string {
	text, err := f.files.Text(path.Join(f.path, name))
	if err != nil {
		return ""
	}
	return string(text)
}

// has returns the first of the names that there is, or "".
func (f *folder) has(names ...string) string {
	for _, n := range names {
		if f.names[n] {
			return n
		}
	}
	return ""
}

// parent returns the address of the device that a folder of the kernel's classes
// belongs to, by the folder's link: "1-0048" of
// ../../../devices/platform/soc/20804000.i2c/i2c-1/1-0048/iio:device0. A virtual
// device has none, but that of a thermal zone's hwmon is the zone.
func parent(link string) string {
	up := path.Dir(link)
	if path.Base(up) == "hwmon" {
		up = path.Dir(up)
	}
	base := path.Base(up)
	if base == "." || base == "virtual" || path.Base(path.Dir(up)) == "virtual" {
		return ""
	}
	return base
}
