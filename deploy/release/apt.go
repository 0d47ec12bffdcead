package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/blakesmith/ar"
)

const (
	keyringName = "pithings-archive-keyring.asc"
	pool        = "pool/main/p/pithings"
)

// aptSource is a folder that apt fetches packages from
// (https://wiki.debian.org/DebianRepository/Format). A web server with its files is enough.
type aptSource struct {
	dir   string
	suite string
	date  time.Time
}

// write makes the source of these packages anew. Without a signer it has no InRelease, and
// apt refuses it. It has no Valid-Until: that would have to be signed anew every
// few days, and a Pi in the field would refuse a source that was not signed lately.
func (a aptSource) write(packages []string, sign *signer) error {
	if err := os.RemoveAll(a.dir); err != nil {
		return err
	}
	index := map[string]string{} // by architecture
	for _, file := range packages {
		arch, entry, err := a.take(file)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		index[arch] += entry + "\n"
	}
	var sums, archs string
	for _, p := range processors {
		archs += " " + p.debian
		name := "main/binary-" + p.debian + "/Packages"
		text := []byte(index[p.debian])
		var z bytes.Buffer
		w := gzip.NewWriter(&z)
		if _, err := w.Write(text); err != nil {
			return err
		}
		if err := w.Close(); err != nil {
			return err
		}
		for _, f := range []struct {
			name string
			text []byte
		}{{name, text}, {name + ".gz", z.Bytes()}} {
			if err := a.put("dists/"+a.suite+"/"+f.name, f.text); err != nil {
				return err
			}
			sums += fmt.Sprintf(" %x %d %s\n", sha256.Sum256(f.text), len(f.text), f.name)
		}
	}
	text := []byte(fmt.Sprintf(`Origin: pithings
Label: pithings
Suite: %s
Codename: %s
Date: %s
Architectures:%s
Components: main
Description: pithings, the parts of a Raspberry Pi as things on MQTT
SHA256:
%s`, a.suite, a.suite, a.date.UTC().Format("Mon, 02 Jan 2006 15:04:05 UTC"), archs, sums))
	if err := a.put("dists/"+a.suite+"/Release", text); err != nil || sign == nil {
		return err
	}
	return a.sign(text, sign)
}

// sign adds the signatures of a Release file and the key to verify them with.
func (a aptSource) sign(text []byte, sign *signer) error {
	for name, make := range map[string]func() ([]byte, error){
		"dists/" + a.suite + "/InRelease":   func() ([]byte, error) { return sign.inline(text) },
		"dists/" + a.suite + "/Release.gpg": func() ([]byte, error) { return sign.detached(text) },
		keyringName:                         sign.public,
	} {
		signed, err := make()
		if err != nil {
			return err
		}
		if err := a.put(name, signed); err != nil {
			return err
		}
	}
	return nil
}

// put writes a file below the folder.
func (a aptSource) put(name string, text []byte) error {
	file := filepath.Join(a.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// take copies a package into the pool, and returns its entry of the index.
func (a aptSource) take(file string) (arch, entry string, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", "", err
	}
	control, err := readControl(bytes.NewReader(text))
	if err != nil {
		return "", "", err
	}
	arch = controlField(control, "Architecture")
	if !slices.ContainsFunc(processors, func(p processor) bool { return p.debian == arch }) {
		return "", "", fmt.Errorf("its architecture is %q, which this source does not have", arch)
	}
	name := path.Join(pool, filepath.Base(file))
	if old, err := os.ReadFile(filepath.Join(a.dir, filepath.FromSlash(name))); err == nil && !bytes.Equal(old, text) {
		return "", "", errors.New("another package of this name and version is in the source; a version must not change once it is published")
	} else if err == nil {
		return "", "", errors.New("is in the source already; leave it out of the folder of earlier packages")
	}
	entry = fmt.Sprintf("%s\nFilename: %s\nSize: %d\nSHA256: %x\n", control, name, len(text), sha256.Sum256(text))
	return arch, entry, a.put(name, text)
}

// maxControl bounds the control file of a package; that of ours has 1 kB.
const maxControl = 1 << 20

// readControl reads the control file of a package that nfpm has made (deb(5)).
func readControl(deb io.Reader) (string, error) {
	for r := ar.NewReader(deb); ; {
		member, err := r.Next()
		if errors.Is(err, io.EOF) {
			return "", errors.New("not a Debian package: it has no control.tar.gz")
		} else if err != nil {
			return "", fmt.Errorf("not a Debian package: %w", err)
		}
		if strings.TrimSuffix(member.Name, "/") != "control.tar.gz" {
			continue
		}
		z, err := gzip.NewReader(r)
		if err != nil {
			return "", err
		}
		for t := tar.NewReader(z); ; {
			h, err := t.Next()
			if err != nil {
				return "", fmt.Errorf("control file: %w", err)
			}
			if path.Clean(h.Name) != "control" {
				continue
			}
			text, err := io.ReadAll(io.LimitReader(t, maxControl))
			return strings.TrimSpace(string(text)), err
		}
	}
}

// packageVersion reads the version of a package, in its Debian form.
func packageVersion(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	control, err := readControl(f)
	if err != nil {
		return "", err
	}
	return controlField(control, "Version"), nil
}

// controlField is the value of a field of one line.
func controlField(control, name string) string {
	for line := range strings.Lines(control) {
		if value, found := strings.CutPrefix(line, name+": "); found {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
