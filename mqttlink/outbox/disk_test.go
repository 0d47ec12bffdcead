package outbox

import (
	"testing"
)

// openDisk opens a box that is closed at the end of the test.
func openDisk(t testing.TB, dir string, o DiskOptions) *Disk {
	t.Helper()
	d, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}
