package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// work is one release.
type work struct {
	source  source
	release release
	dist    string   // the folder for all that is made, with the binaries of make build-all
	earlier []string // packages of earlier versions for the apt source
	signer  *signer  // nil: nothing is signed
	out     io.Writer
}

// ready warns of what makes a release worse than it could be, and refuses to sign what
// others could not make again.
func (w work) ready() error {
	if w.source.changed {
		const text = "the source differs from its commit, so that others cannot make the same files from it; see: git status"
		if w.signer != nil {
			return errors.New(text)
		}
		fmt.Fprintln(w.out, "warning:", text)
	}
	if w.signer == nil {
		fmt.Fprintln(w.out, "warning: RELEASE_KEY is not set, so nothing is signed, and apt refuses the source of packages")
	}
	return nil
}

// publish makes all else of the binaries.
func (w work) publish() error {
	if err := w.clean(); err != nil {
		return err
	}
	l, err := w.licences()
	if err != nil {
		return err
	}
	binaries, err := filepath.Glob(w.path("pithings-*"))
	if err != nil {
		return err
	}
	if len(binaries) == 0 {
		return fmt.Errorf("%s has no binaries; make them with: make build-all", w.dist)
	}
	fmt.Fprintln(w.out, "making the packages; each takes some seconds")
	var packages []string
	for _, p := range processors {
		path, err := makeDeb(w.source, w.release, l, p, w.dist)
		if err != nil {
			return err
		}
		w.report(path)
		packages = append(packages, path)
	}
	materials := w.path("pithings_" + w.release.version + ".cdx.json")
	text, err := sbom(w.release, w.source, binaries, packages, l)
	if err != nil {
		return err
	}
	if err := os.WriteFile(materials, text, 0o644); err != nil {
		return err
	}
	w.report(materials)

	apt := aptSource{dir: w.path("apt"), suite: w.release.suite(), date: w.source.committed}
	kept, err := w.kept()
	if err != nil {
		return err
	}
	if err := apt.write(append(packages, kept...), w.signer); err != nil {
		return err
	}
	w.report(filepath.Join(apt.dir, "dists", apt.suite, "Release"))
	return w.sums(append(append(binaries, packages...), w.path("LICENSES.txt"), materials))
}

// kept are the packages of earlier versions that belong into the suite of this release: what
// was only tried stays out of stable.
func (w work) kept() ([]string, error) {
	var kept []string
	for _, file := range w.earlier {
		version, err := packageVersion(file)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		if suite := w.release.suite(); suite == "stable" && suiteOf(version) != suite {
			fmt.Fprintf(w.out, "%s is left out: it is a pre-release, and the suite is %s\n", filepath.Base(file), suite)
			continue
		}
		kept = append(kept, file)
	}
	return kept, nil
}

// only builds the program for one processor and makes its package, to try it.
func (w work) only(debian string) error {
	i := slices.IndexFunc(processors, func(p processor) bool { return p.debian == debian })
	if i < 0 {
		return fmt.Errorf("--package %s: not one of armhf, arm64 and amd64", debian)
	}
	p := processors[i]
	if err := w.source.build(w.release.version, w.dist, p.target); err != nil {
		return err
	}
	l, err := w.licences()
	if err != nil {
		return err
	}
	path, err := makeDeb(w.source, w.release, l, p, w.dist)
	if err != nil {
		return err
	}
	w.report(path)
	return nil
}

// licences reads what build-all has written of the licences, and refuses those that do not fit.
func (w work) licences() (licences, error) {
	text, err := os.ReadFile(w.path("LICENSES.txt"))
	if err != nil {
		return licences{}, err
	}
	l, err := readLicences(string(text))
	if err != nil {
		return licences{}, err
	}
	return l, l.check()
}

// sums writes the checksums of the files, their signature, and the key to verify it with.
func (w work) sums(files []string) error {
	text, err := checksums(files)
	if err != nil {
		return err
	}
	made := w.path("SHA256SUMS")
	if err := os.WriteFile(made, text, 0o644); err != nil {
		return err
	}
	w.report(made)
	if w.signer == nil {
		return nil
	}
	signature, err := w.signer.detached(text)
	if err != nil {
		return err
	}
	key, err := w.signer.public()
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(made+".asc", signature, 0o644),
		os.WriteFile(w.path(keyringName), key, 0o644),
	)
}

// clean removes what an earlier release has left in dist, so that no file of another version
// is published with this one.
func (w work) clean() error {
	for _, pattern := range []string{"pithings_*", "SHA256SUMS*", keyringName} {
		old, err := filepath.Glob(w.path(pattern))
		if err != nil {
			return err
		}
		for _, path := range old {
			if err := os.Remove(path); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w work) path(name string) string { return filepath.Join(w.dist, name) }

func (w work) report(path string) {
	info, err := os.Stat(path)
	if err != nil {
		return // the next user of the file reports it
	}
	name := strings.TrimPrefix(path, w.source.root+string(filepath.Separator))
	fmt.Fprintf(w.out, "%10d bytes  %s\n", info.Size(), name)
}
