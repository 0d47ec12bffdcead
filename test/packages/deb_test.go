//go:build packages && linux

package packages

import (
	"os"
	"runtime"
	"sync"
	"testing"

	"pithings/test/binary"
)

// The two versions that are installed. They differ in nothing else.
const (
	older = "1.0.0"
	newer = "1.1.0"
)

// debs is a folder for the packages.
var debs string

func TestMain(m *testing.M) {
	var err error
	if debs, err = os.MkdirTemp("", "pithings-debs-"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(debs)
	os.Exit(code)
}

var build = map[string]func() (string, error){
	older: sync.OnceValues(func() (string, error) { return binary.Deb(debs, older, runtime.GOARCH) }),
	newer: sync.OnceValues(func() (string, error) { return binary.Deb(debs, newer, runtime.GOARCH) }),
}

// deb is the file of the package of a version, for this machine.
func deb(t *testing.T, version string) string {
	t.Helper()
	file, err := build[version]()
	if err != nil {
		t.Fatal(err)
	}
	return file
}
