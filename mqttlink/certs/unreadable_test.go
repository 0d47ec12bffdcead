package certs

import (
	"io/fs"
	"strings"
	"testing"
)

// A key that only root can read kept the service restarting: the message names the line of
// the unit, and that of the configuration.
func TestUnreadableKeyNamesLoadCredential(t *testing.T) {
	fix := unreadable("/etc/pithings/certs/device.key", &fs.PathError{Op: "open", Path: "x", Err: fs.ErrPermission})
	for _, want := range []string{"LoadCredential=device.key:/etc/pithings/certs/device.key", "${CREDENTIALS_DIRECTORY}/device.key"} {
		if !strings.Contains(fix, want) {
			t.Errorf("%q is not in %q", want, fix)
		}
	}
	if fix := unreadable("a", fs.ErrNotExist); strings.Contains(fix, "LoadCredential") {
		t.Error(fix)
	}
}
