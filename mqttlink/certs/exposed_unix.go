//go:build unix

package certs

import (
	"os"
	"path/filepath"
)

// Exposed reports whether every user of this system can read or change a file with a
// secret: by the file's own mode and by the folders above it. Its group does not count,
// because a file of mode 0640 was given to a group on purpose; nor
// does a file in a folder that others cannot enter, as systemd's credentials are.
func Exposed(path string) bool {
	path, err := filepath.Abs(path)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err != nil {
		return false // the reader reports what is wrong
	}
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o006 == 0 {
		return false
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}
