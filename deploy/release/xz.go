package main

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"strings"

	"github.com/blakesmith/ar"
)

// uncompressed is nfpm's word for packages that are compressed here.
const uncompressed = "none"

// compression is how nfpm compresses a package: not at all where there is xz (xz-utils), which
// makes it a fifth smaller than the library that nfpm has.
func compression() string {
	if _, err := exec.LookPath("xz"); err != nil {
		return "xz"
	}
	return uncompressed
}

// compressData compresses the files of a package, its member data.tar (deb(5)).
func compressData(deb []byte) ([]byte, error) {
	var out bytes.Buffer
	w := ar.NewWriter(&out)
	if err := w.WriteGlobalHeader(); err != nil {
		return nil, err
	}
	r := ar.NewReader(bytes.NewReader(deb))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return out.Bytes(), nil
		}
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(r)
		if err != nil {
			return nil, err
		}
		if strings.TrimSuffix(h.Name, "/") == "data.tar" {
			if text, err = compress(text); err != nil {
				return nil, err
			}
			h.Name, h.Size = "data.tar.xz", int64(len(text))
		}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(text); err != nil {
			return nil, err
		}
	}
}

// compress runs xz: with one thread, because several split their input by the number of processors,
// and without what XZ_OPT and XZ_DEFAULTS of the user say.
func compress(text []byte) ([]byte, error) {
	c := exec.Command("xz", "--format=xz", "--check=crc64", "--threads=1", "-6", "--stdout")
	c.Env = []string{}
	var out, errs bytes.Buffer
	c.Stdin, c.Stdout, c.Stderr = bytes.NewReader(text), &out, &errs
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("xz: %w: %s", err, strings.TrimSpace(errs.String()))
	}
	return out.Bytes(), nil
}
