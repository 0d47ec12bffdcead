package main

import (
	"bytes"
	"debug/buildinfo"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/google/uuid"
)

// sbom lists what is in the published files: the bill of materials after CycloneDX 1.6.
// Which modules a binary has comes from the binary itself.
func sbom(r release, s source, binaries, others []string, l licences) ([]byte, error) {
	id, err := l.of("pithings")
	if err != nil {
		return nil, err
	}
	root := component(cdx.ComponentTypeApplication, "pithings", r.version, id)
	root.BOMRef = "pithings@" + r.version
	b := bill{licences: l, seen: map[string]bool{}}
	var published []string
	for _, path := range binaries {
		ref, err := b.file(path)
		if err != nil {
			return nil, err
		}
		published = append(published, ref)
		needs, err := b.linked(path)
		if err != nil {
			return nil, err
		}
		b.needs = append(b.needs, cdx.Dependency{Ref: ref, Dependencies: &needs})
	}
	for _, path := range others {
		ref, err := b.file(path)
		if err != nil {
			return nil, err
		}
		published = append(published, ref)
	}
	b.needs = append(b.needs, cdx.Dependency{Ref: root.BOMRef, Dependencies: &published})

	bom := cdx.NewBOM()
	// The same source has the same number.
	bom.SerialNumber = uuid.NewSHA1(uuid.NameSpaceURL, []byte("pithings "+r.version+" "+s.commit)).URN()
	bom.Metadata = &cdx.Metadata{Timestamp: s.committed.Format(time.RFC3339), Component: &root}
	bom.Components, bom.Dependencies = &b.components, &b.needs
	var text bytes.Buffer
	err = cdx.NewBOMEncoder(&text, cdx.BOMFileFormatJSON).SetPretty(true).EncodeVersion(bom, cdx.SpecVersion1_6)
	return text.Bytes(), err
}

// bill collects the parts of a bill of materials.
type bill struct {
	licences   licences
	components []cdx.Component
	needs      []cdx.Dependency
	seen       map[string]bool
}

// file adds a published file with its hash.
func (b *bill) file(path string) (ref string, err error) {
	sum, err := hashFile(path)
	if err != nil {
		return "", err
	}
	c := cdx.Component{Type: cdx.ComponentTypeFile, Name: filepath.Base(path), BOMRef: filepath.Base(path),
		Hashes: &[]cdx.Hash{{Algorithm: cdx.HashAlgoSHA256, Value: sum}}}
	b.components = append(b.components, c)
	return c.BOMRef, nil
}

// linked adds the modules of a binary that are not there yet, and returns all of them.
func (b *bill) linked(path string) (refs []string, err error) {
	info, err := buildinfo.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	add := func(module, name, version, sum string) error {
		id, err := b.licences.of(module)
		if err != nil {
			return err
		}
		c := component(cdx.ComponentTypeLibrary, name, version, id)
		c.PackageURL = "pkg:golang/" + name + "@" + version
		c.BOMRef = c.PackageURL
		if sum != "" { // as in go.sum: https://go.dev/ref/mod#go-sum-files
			c.Properties = &[]cdx.Property{{Name: "go:sum", Value: sum}}
		}
		refs = append(refs, c.BOMRef)
		if !b.seen[c.BOMRef] {
			b.seen[c.BOMRef] = true
			b.components = append(b.components, c)
		}
		return nil
	}
	if err := add("Go", "std", strings.TrimPrefix(info.GoVersion, "go"), ""); err != nil {
		return nil, err
	}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		if have := b.licences.versions[m.Path]; have != m.Version {
			return nil, fmt.Errorf("%s has %s %s, but LICENSES.txt has its version %q; make it anew with: go test ./cmd/pithings/internal/notices -update", filepath.Base(path), m.Path, m.Version, have)
		}
		if err := add(m.Path, m.Path, m.Version, m.Sum); err != nil {
			return nil, err
		}
	}
	return refs, nil
}

func component(kind cdx.ComponentType, name, version, licence string) cdx.Component {
	return cdx.Component{Type: kind, Name: name, Version: version,
		Licenses: &cdx.Licenses{{Expression: licence}}}
}
