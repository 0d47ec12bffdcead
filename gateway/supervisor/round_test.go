package supervisor_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pithings/conf"
	"pithings/gateway"
	"pithings/gateway/supervisor"
)

// files reads a folder of testdata.
func files(t testing.TB, names ...string) (all []supervisor.File) {
	t.Helper()
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join("testdata", filepath.FromSlash(name)))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, supervisor.File{Name: name, Data: data})
	}
	return all
}

func imported(t testing.TB, files ...supervisor.File) *supervisor.Imported {
	t.Helper()
	got, err := supervisor.Import(files)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// exports are the formats, with what is written of settings.
var exports = map[string]func(s *gateway.Settings) ([]supervisor.File, []string, error){
	"csv": supervisor.ExportCSV,
	"json of 1.x": func(s *gateway.Settings) ([]supervisor.File, []string, error) {
		data, notes, err := supervisor.ExportFirst(s)
		return []supervisor.File{{Name: "gateway.json", Data: data}}, notes, err
	},
	"json of 2.x": func(s *gateway.Settings) ([]supervisor.File, []string, error) {
		data, notes, err := supervisor.ExportJSON(s)
		return []supervisor.File{{Name: "gateway.json", Data: data}}, notes, err
	},
}

// sources are the files of testdata, with the format that they are in.
var sources = []struct {
	format string
	names  []string
}{
	{"csv", []string{"first/device.csv", "first/var.csv", "first/group.csv", "first/warn.csv"}},
	{"json of 1.x", []string{"first/gateway.json"}},
	{"json of 2.x", []string{"second/gateway.json"}},
}

// What is imported, goes through a configuration, and is exported again, is what it was, but
// for secrets; and imported again it is the same configuration.
func TestRoundTrip(t *testing.T) {
	for _, source := range sources {
		t.Run(source.format, func(t *testing.T) {
			was := files(t, source.names...)
			once := imported(t, was...)
			settings := decode(t, supervisor.YAML(once.Settings))
			if !reflect.DeepEqual(settings, once.Settings) {
				t.Errorf("as YAML it is another:\n%s", supervisor.YAML(once.Settings))
			}
			out, _, err := exports[source.format](settings)
			if err != nil {
				t.Fatal(err)
			}
			for i, f := range out {
				if source.format == "csv" {
					if !bytes.Equal(f.Data, was[i].Data) {
						t.Errorf("%s is\n%s\nwas\n%s", f.Name, f.Data, was[i].Data)
					}
					continue
				}
				if got, want := value(t, f.Data), value(t, hushed(was[i].Data)); !reflect.DeepEqual(sorted(got), sorted(want)) {
					t.Errorf("exported\n%s", f.Data)
				}
			}
			twice := imported(t, out...)
			if a, b := once.YAML(), twice.YAML(); a != b {
				t.Errorf("imported again it is\n%s\nwas\n%s", b, a)
			}
		})
	}
}

// hushed is a file without its secrets.
func hushed(data []byte) []byte {
	for _, secret := range []string{`opc-hush`, `mqtt-hush`, `-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----`} {
		data = bytes.ReplaceAll(data, []byte(`"`+secret+`"`), []byte(`""`))
	}
	return data
}

func value(t *testing.T, data []byte) map[string]any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v map[string]any
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%v in %s", err, data)
	}
	return v
}

// sorted brings lists into one order: what is kept goes to the end of its list.
func sorted(v any) any {
	switch x := v.(type) {
	case map[string]any:
		for k := range x {
			x[k] = sorted(x[k])
		}
	case []any:
		slices.SortFunc(x, func(a, b any) int {
			p, _ := json.Marshal(a)
			q, _ := json.Marshal(b)
			return bytes.Compare(p, q)
		})
		for i := range x {
			x[i] = sorted(x[i])
		}
	}
	return v
}

// Secrets go nowhere: not into the configuration, not into notes.
func TestSecretsAreNotPrinted(t *testing.T) {
	got := imported(t, files(t, "second/gateway.json")...)
	notes := strings.Join(got.Notes, "\n")
	if all := got.YAML() + notes; strings.Contains(all, "hush") {
		t.Errorf("a secret is in\n%s", all)
	}
	for _, want := range []string{"controllers[2].args.password: it is a secret", "clouds[0].args.passwd: it is a secret", "clouds[0].args.key: it is a secret"} {
		if !strings.Contains(notes, want) {
			t.Errorf("%s is not in\n%s", want, notes)
		}
	}
}

// The other formats have less: what they lack is said, and what they have is the same again.
func TestOtherFormats(t *testing.T) {
	for _, source := range sources {
		once := imported(t, files(t, source.names...)...)
		for format, export := range exports {
			if format == source.format {
				continue
			}
			t.Run(source.format+" as "+format, func(t *testing.T) {
				out, notes, err := export(once.Settings)
				if err != nil {
					t.Fatal(err)
				}
				twice := imported(t, out...)
				if a, b := len(once.Settings.Variables), len(twice.Settings.Variables); a != b {
					t.Errorf("%d variables became %d", a, b)
				}
				for i, a := range once.Settings.Alarms {
					b := twice.Settings.Alarms[i]
					a.Columns, b.Columns = nil, nil
					if a.Level = 1; b.Level != 1 {
						b.Level = 1
					}
					if !reflect.DeepEqual(a, b) {
						t.Errorf("alarm %+v became %+v", a, b)
					}
				}
				if lacking := len(once.Settings.Publish) > 0 && format != "json of 2.x"; lacking != strings.Contains(strings.Join(notes, "\n"), "publish are not exported") {
					t.Errorf("notes: %q", notes)
				}
			})
		}
	}
}

// Whatever is in a file, reading it ends, and what is read can be written as a configuration
// that is the same, and in each format.
func FuzzImport(f *testing.F) {
	for _, file := range first {
		f.Add(file.Data)
	}
	f.Add([]byte(second))
	for _, source := range sources {
		for _, file := range files(f, source.names...) {
			f.Add(file.Data)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := supervisor.Import([]supervisor.File{{Name: "f", Data: data}})
		if err != nil {
			return
		}
		for format, export := range exports {
			if _, _, err := export(got.Settings); err != nil {
				t.Errorf("%s: %v", format, err)
			}
		}
		yaml := got.YAML()
		if got.Things != "" {
			yaml = yaml[len(got.Things):]
		}
		var all struct {
			Gateway gateway.Settings `json:"gateway"`
		}
		conf.Fill(&all)
		decoder := conf.NewDecoder("f", conf.NewVariables(nil))
		decoder.Struct(decoder.Document([]byte(yaml), ""), &all, "", "configuration")
		if _, err := decoder.Result(); err == nil && !reflect.DeepEqual(&all.Gateway, got.Settings) {
			t.Errorf("as YAML it is another:\n%s", yaml)
		} else if err != nil && !strings.Contains(err.Error(), "too many") && !strings.Contains(err.Error(), "larger than") {
			t.Errorf("%v in\n%s", err, yaml)
		}
	})
}
