package main

import (
	"debug/buildinfo"
	"encoding/json"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
	"github.com/xeipuuv/gojsonschema"
)

// bomSchema is the schema of CycloneDX, as its own Go module has it.
func bomSchema(t *testing.T) *gojsonschema.Schema {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/CycloneDX/cyclonedx-go").Output()
	if err != nil {
		t.Fatal(err)
	}
	load := func(name string) gojsonschema.JSONLoader {
		return gojsonschema.NewBytesLoader(read(t, filepath.Join(strings.TrimSpace(string(out)), "schema", name)))
	}
	l := gojsonschema.NewSchemaLoader()
	// The schemas that it refers to, by their own addresses: nothing is fetched.
	if err := l.AddSchemas(load("spdx.schema.json"), load("jsf-0.82.schemax.json")); err != nil {
		t.Fatal(err)
	}
	s, err := l.Compile(load("bom-1.6.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// validate returns what the schema has against a bill of materials.
func validate(t *testing.T, s *gojsonschema.Schema, text []byte) (wrong []string) {
	t.Helper()
	result, err := s.Validate(gojsonschema.NewBytesLoader(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range result.Errors() {
		wrong = append(wrong, e.String())
	}
	return wrong
}

func TestBillFitsItsSchema(t *testing.T) {
	s := bomSchema(t)
	w := smallWork(t, "1.2.3")
	if err := w.publish(); err != nil {
		t.Fatal(err)
	}
	text := read(t, w.path("pithings_1.2.3.cdx.json"))
	if wrong := validate(t, s, text); len(wrong) > 0 {
		t.Errorf("%s", strings.Join(wrong, "\n"))
	}
	// The schema finds what is wrong.
	for _, c := range []struct{ old, with string }{
		{`"alg": "SHA-256"`, `"alg": "SHA-257"`},
		{`"bomFormat": "CycloneDX"`, `"bomFormat": "SPDX"`},
		{`"type": "file"`, `"type": "folder"`},
	} {
		if !strings.Contains(string(text), c.old) {
			t.Errorf("the bill has no %s", c.old)
		}
		if wrong := validate(t, s, []byte(strings.ReplaceAll(string(text), c.old, c.with))); len(wrong) == 0 {
			t.Errorf("the schema takes %s", c.with)
		}
	}
}

// TestBillHasAllThatIsLinked: each binary that is published depends on the modules that Go
// has written into it, each with a licence, and each file has its hash.
func TestBillHasAllThatIsLinked(t *testing.T) {
	dist, version := published(t)
	var bom cdx.BOM
	text := read(t, filepath.Join(dist, "pithings_"+version+".cdx.json"))
	if wrong := validate(t, bomSchema(t), text); len(wrong) > 0 {
		t.Errorf("%s", strings.Join(wrong, "\n"))
	}
	if err := json.Unmarshal(text, &bom); err != nil {
		t.Fatal(err)
	}
	components := map[string]cdx.Component{}
	for _, c := range *bom.Components {
		if components[c.BOMRef].Name != "" {
			t.Errorf("%s is there twice", c.BOMRef)
		}
		components[c.BOMRef] = c
	}
	needs := map[string][]string{}
	for _, d := range *bom.Dependencies {
		needs[d.Ref] = *d.Dependencies
	}
	files := needs["pithings@"+version]
	binaries := 0
	for _, name := range files {
		c := components[name]
		sum, err := hashFile(filepath.Join(dist, name))
		if err != nil || c.Hashes == nil || (*c.Hashes)[0].Value != sum {
			t.Errorf("%s: %v, %v; its hash is %s", name, err, c.Hashes, sum)
		}
		if strings.HasSuffix(name, ".deb") {
			continue
		}
		binaries++
		info, err := buildinfo.ReadFile(filepath.Join(dist, name))
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go")}
		for _, m := range info.Deps {
			want = append(want, "pkg:golang/"+m.Path+"@"+m.Version)
		}
		if len(want) < 10 || !slices.Equal(needs[name], want) {
			t.Errorf("%s needs %q, want %q", name, needs[name], want)
		}
		for _, ref := range want {
			if l := components[ref].Licenses; l == nil || (*l)[0].Expression == "" {
				t.Errorf("%s has no licence", ref)
			}
		}
	}
	if binaries != 6 || len(files) != binaries+len(processors) {
		t.Errorf("the files are %q", files)
	}
}

// TestBillRefusesOtherVersions: LICENSES.txt belongs to the binaries.
func TestBillRefusesOtherVersions(t *testing.T) {
	l, err := readLicences(theLicences(t))
	if err != nil {
		t.Fatal(err)
	}
	l.versions["github.com/goreleaser/nfpm/v2"] = "v0.0.1"
	b := bill{licences: l, seen: map[string]bool{}}
	// This test's own program has modules that pithings does not have.
	me, err := exec.LookPath("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.linked(me); err == nil || !strings.Contains(err.Error(), "but LICENSES.txt has its version") {
		t.Errorf("%v", err)
	}
}
