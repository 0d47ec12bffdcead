// Release makes what is published of a version of pithings, as docs/releasing.md
// describes:
//
//	make release VERSION=1.2.3
//
// It is a module of its own, so that the modules it needs are none of pithings'.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const usage = `Usage: release --version VERSION [--source FOLDER] [--dist FOLDER] [--earlier FOLDER]
       release --version VERSION --package PROCESSOR [--source FOLDER] [--dist FOLDER]

Builds pithings for all systems, and makes of it Debian packages, a source of packages
for apt, checksums and a bill of materials. With --package it makes one package only.

Environment:
  RELEASE_KEY             the armored OpenPGP private key that signs, or the file that has it;
                          without it nothing is signed
  RELEASE_KEY_PASSPHRASE  its passphrase
  SOURCE_DATE_EPOCH       the time of the source, in seconds since 1970, if it is not in git

Paths that are relative are those below the folder of the source.

Options:
`

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	f := flag.NewFlagSet("release", flag.ContinueOnError)
	f.SetOutput(out)
	f.Usage = func() { fmt.Fprint(out, usage); f.PrintDefaults() }
	version := f.String("version", "", "the `version` to release, such as 1.2.3 or 1.2.3-rc.1")
	root := f.String("source", ".", "the `folder` of the source")
	dist := f.String("dist", "dist", "the `folder` for what is made")
	earlier := f.String("earlier", "", "a `folder` of packages of earlier versions that the apt source keeps, so that users can go back to them")
	one := f.String("package", "", "the only `processor` to make a package for: armhf, arm64 or amd64")
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("%q is not expected; see: release --help", f.Arg(0))
	}
	key, passphrase, err := takeKey()
	if err != nil {
		return err
	}
	r, err := parseVersion(*version)
	if err != nil {
		return err
	}
	s, err := openSource(*root)
	if err != nil {
		return err
	}
	w := work{source: s, release: r, dist: s.resolve(*dist), out: out}
	if *one != "" {
		return w.only(*one)
	}
	if *earlier != "" {
		if w.earlier, err = filepath.Glob(filepath.Join(s.resolve(*earlier), "pithings_*.deb")); err == nil && len(w.earlier) == 0 {
			err = errors.New("has no file pithings_*.deb")
		}
		if err != nil {
			return fmt.Errorf("--earlier %s: %w", *earlier, err)
		}
	}
	if key != "" {
		if w.signer, err = readSigner(s, key, passphrase); err != nil {
			return err
		}
	}
	// Found out now, and not after the minutes that the binaries take.
	if err := w.ready(); err != nil {
		return err
	}
	fmt.Fprintf(out, "building pithings %s for all systems; the first time that takes some minutes\n", r.version)
	if err := s.build(r.version, w.dist); err != nil {
		return err
	}
	return w.publish()
}
