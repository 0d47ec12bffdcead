package state

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"pithings/mqttlink/durable"
)

// Explain returns err; if that says that something in the folder may not be opened, and
// there are files of another user in it, with the command that gives them back. Earlier
// versions left such files when root worked in the folder of a service.
func (s *Folder) Explain(err error) error {
	if !errors.Is(err, fs.ErrPermission) {
		return err
	}
	foreign := ""
	_ = filepath.WalkDir(s.Dir, func(path string, _ fs.DirEntry, walkErr error) error {
		if path != s.Dir && durable.Foreign(path) {
			foreign = path
			return fs.SkipAll
		}
		if walkErr != nil {
			return fs.SkipDir // it is foreign, or nothing can be known of it
		}
		return nil
	})
	if foreign == "" {
		return err
	}
	return fmt.Errorf("%w; %s does not belong to the owner of the folder: sudo chown -R --reference=%s %s", err, foreign, s.Dir, s.Dir)
}
