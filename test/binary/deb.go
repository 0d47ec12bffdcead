package binary

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// Deb makes the Debian package of a version for a processor (armhf, arm64 or amd64) in a
// folder, as a release does, and returns its file. The program is left beside it.
func Deb(dir, version, processor string) (file string, err error) {
	root, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("go list: %w", err)
	}
	source := strings.TrimSpace(string(root))
	release := exec.Command("go", "-C", filepath.Join(source, "deploy", "release"), "run", ".",
		"--version", version, "--package", processor, "--source", source, "--dist", dir)
	if out, err := release.CombinedOutput(); err != nil {
		return "", fmt.Errorf("making the package for %s: %w\n%s", processor, err, out)
	}
	// Debian's form of a version has no "-" (deploy/release).
	return filepath.Join(dir, "pithings_"+strings.ReplaceAll(version, "-", "~")+"_"+processor+".deb"), nil
}
