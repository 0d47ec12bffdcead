package conf

import (
	"os"
	"path/filepath"
)

// Locate makes relative paths full ones, in the struct that p points to and that is at
// path. The tag file of a field says where they are:
//
//	file:"credential"   in the folder credentials, or else beside the file with the path
//	file:"beside"       beside the file with the path
//
// credentials is what systemd puts into $CREDENTIALS_DIRECTORY, or "". A path that a
// variable gave and that is not there is relative to the working directory.
func (r *Report) Locate(p any, path, credentials string) {
	walk(p, path, func(at string, f Field) {
		tag := f.Tag.Get("file")
		if tag == "" || !r.Given(at) || f.Value.String() == "" || filepath.IsAbs(f.Value.String()) {
			return
		}
		name := f.Value.String()
		if in := filepath.Join(credentials, name); tag == "credential" && credentials != "" && filepath.IsLocal(name) && isFile(in) {
			f.Value.SetString(in)
		} else if r.InFile(at) {
			f.Value.SetString(filepath.Join(filepath.Dir(r.Source), name))
		}
	}, func(string, string, int) {})
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
