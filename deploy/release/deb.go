package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/goreleaser/nfpm/v2"
	"github.com/goreleaser/nfpm/v2/deb"
)

// processor is one that packages are made for.
type processor struct {
	debian string
	target string // of make build-all
	binary string // that it makes
}

// processors are those of Raspberry Pis, and that of most other computers. The code for
// armhf is that for ARMv6: Debian's armhf needs ARMv7, Raspberry Pi OS does not.
var processors = []processor{
	{debian: "armhf", target: "linux/arm/6", binary: "pithings-linux-armv6"},
	{debian: "arm64", target: "linux/arm64", binary: "pithings-linux-arm64"},
	{debian: "amd64", target: "linux/amd64", binary: "pithings-linux-amd64"},
}

const (
	maintainer = "pithings maintainers <maintainers@pithings.example>"

	description = `parts of a Raspberry Pi as things on MQTT
 pithings turns sensors, cameras, screens, buttons and relays that are
 connected to a Raspberry Pi into things on MQTT, and runs flows between
 them, such as motion, picture, screen. What things publish waits in a queue
 on disk while the network is away.
 .
 The service starts after /etc/pithings/pithings.yaml is written.`
)

// makeDeb writes the package for a processor into dist, and returns its path.
func makeDeb(s source, r release, l licences, p processor, dist string) (path string, err error) {
	scratch, err := os.MkdirTemp("", "pithings-release-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(scratch)
	t := &tree{scratch: scratch, time: s.committed}
	t.copy("/usr/bin/pithings", 0o755, filepath.Join(dist, p.binary))
	if err := fill(t, s, r, l); err != nil {
		return "", err
	}
	info := nfpm.WithDefaults(&nfpm.Info{
		Name:            "pithings",
		Arch:            p.debian,
		Platform:        "linux",
		Version:         r.debian,
		VersionSchema:   "none",
		Section:         "net",
		Priority:        "optional",
		Maintainer:      maintainer,
		Description:     description,
		DisableGlobbing: true,
		MTime:           s.committed,
		Overridables: nfpm.Overridables{
			// For systemd-sysusers, on a system without systemd, too.
			Depends:  []string{"systemd | systemd-standalone-sysusers | systemd-sysusers"},
			Contents: t.contents,
			Scripts: nfpm.Scripts{
				PostInstall: s.path("deploy/debian/postinst"),
				PreRemove:   s.path("deploy/debian/prerm"),
				PostRemove:  s.path("deploy/debian/postrm"),
			},
			Deb: nfpm.Deb{Arch: p.debian, Compression: compression()},
		},
	})
	path = filepath.Join(dist, deb.Default.ConventionalFileName(info))
	var made bytes.Buffer
	if err := deb.Default.Package(info, &made); err != nil {
		return "", fmt.Errorf("package for %s: %w", p.debian, err)
	}
	text := made.Bytes()
	if info.Deb.Compression == uncompressed {
		if text, err = compressData(text); err != nil {
			return "", fmt.Errorf("package for %s: %w", p.debian, err)
		}
	}
	return path, os.WriteFile(path, text, 0o644)
}
