package state

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A folder that an older version has damaged, under sudo, is named with the command that repairs it.
func TestForeignFilesAreNamed(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root makes files of other users; make test runs this as root")
	}
	s := Folder{Dir: t.TempDir()}
	denied := &fs.PathError{Op: "open", Path: "lock", Err: fs.ErrPermission}
	if err := s.Explain(denied); err != error(denied) {
		t.Errorf("without such a file: %v", err)
	}
	name := filepath.Join(s.Dir, "flows")
	if err := errors.Join(os.Mkdir(name, 0o700), os.Chown(s.Dir, 61000, 61000)); err != nil {
		t.Fatal(err)
	}
	if err := s.Explain(denied); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), name+" does not belong") || !strings.Contains(err.Error(), "sudo chown -R --reference="+s.Dir) {
		t.Errorf("%v", err)
	}
	if err := s.Explain(fs.ErrExist); err != fs.ErrExist {
		t.Errorf("another error: %v", err)
	}
}
