//go:build emulated

package emulated

import (
	"image"
	"testing"
)

// testPackage installs the package with apt in a Debian on the machine, where it does what it
// is for: TestThePackage.
func testPackage(t *testing.T, b *bench) {
	if *only != "" {
		t.Skip("skipped: only some tests of the whole program are asked for")
	}
	run(t, b, boot{name: "package", screen: image.Pt(800, 480), apt: true, programs: append(helpers(), whole("TestThePackage"))})
}
