package tdm

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"pithings/flow"
	"pithings/flow/expr"
)

func mustExpr(source string) *expr.Expr {
	e, err := expr.Parse(source)
	if err != nil {
		panic(err)
	}
	return e
}

func readFiles(t testing.TB, pattern string) []File {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil || len(names) == 0 {
		t.Fatalf("no files %s: %v", pattern, err)
	}
	var fs []File
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		fs = append(fs, File{filepath.Base(name), text})
	}
	return fs
}

func mustRead(t testing.TB, fs ...File) *Documents {
	t.Helper()
	d, err := Read(fs...)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func mustImport(t testing.TB, o Options, fs ...File) *Import {
	t.Helper()
	im, err := mustRead(t, fs...).Import(o)
	if err != nil {
		t.Fatal(err)
	}
	return im
}

// placeless removes places, which differ between formats.
func placeless(d *flow.Deployment) *flow.Deployment {
	clean(reflect.ValueOf(d).Elem())
	return d
}

func clean(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		switch v.Interface().(type) {
		case flow.Position:
			v.Set(reflect.Zero(v.Type()))
			return
		case expr.Expr:
			return
		}
		for i := range v.NumField() {
			if f := v.Field(i); f.CanSet() {
				clean(f)
			}
		}
	case reflect.Slice:
		for i := range v.Len() {
			clean(v.Index(i))
		}
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() && v.Elem().CanSet() {
			clean(v.Elem())
		} else if !v.IsNil() && v.Kind() == reflect.Interface && v.Elem().Kind() == reflect.Pointer {
			clean(v.Elem())
		}
	}
}

// TestSecurityFlow: the guide's three documents, as the guide prints them, in any
// order and in one file.
func TestSecurityFlow(t *testing.T) {
	const ns = "urn:tdm:REGION/ACCOUNT ID/default:"
	want := &flow.Deployment{
		Name: "Room215", Description: "A picture of who comes", URN: ns + "Deployment:Room215", System: ns + "System:SecurityFlow",
		Things: []flow.Binding{
			{Role: "motionSensor", Thing: "TG_MS", Model: "urn:tdm:aws/examples:deviceModel:MotionSensor"},
			{Role: "camera", Thing: "TG_Camera", Model: "urn:tdm:aws/examples:deviceModel:Camera"},
			{Role: "screen", Thing: "TG_Screen", Model: "urn:tdm:aws/examples:deviceModel:Screen"},
		},
		Flows: []flow.Flow{{Definition: &flow.Definition{
			Name: "SecurityFlow", URN: ns + "Workflow:SecurityFlow",
			Variables: []flow.Variable{{Name: "cameraResult", Type: "urn:tdm:aws/examples:property:CameraStateProperty"}},
			Steps: []flow.Step{
				{Name: "Camera", Out: []string{"cameraStepDone"},
					Activity: &flow.DeviceAction{Role: "camera", Action: "capture", Output: "cameraResult"}},
				{Name: "Screen", In: flow.In{Events: []string{"cameraStepDone"}},
					Activity: &flow.DeviceAction{Role: "screen", Action: "display",
						Args: []flow.Arg{{Name: "imageUrl", Value: flow.Value{Expr: mustExpr("cameraResult.lastClickedImage")}}}}},
			},
		}}},
		Triggers: []flow.Trigger{{Name: "MotionEventTrigger", Description: "a trigger",
			Event: &flow.DeviceEvent{Role: "motionSensor", Name: "StateChanged"},
			Start: []flow.Start{{Flow: "SecurityFlow"}}}},
	}
	fs := readFiles(t, "testdata/security/*.graphql")
	joined := File{Name: "all", Text: []byte(string(fs[2].Text) + string(fs[1].Text) + string(fs[0].Text))}
	for name, fs := range map[string][]File{
		"in order":  {fs[2], fs[1], fs[0]},
		"backwards": fs,
		"one file":  {joined},
	} {
		t.Run(name, func(t *testing.T) {
			im := mustImport(t, Options{}, fs...)
			if im.Needs.Err() != nil {
				t.Errorf("needs %v", im.Needs.Err())
			}
			if len(im.Deployments) != 1 {
				t.Fatalf("%d deployments", len(im.Deployments))
			}
			if pos := im.Deployments[0].Flows[0].Definition.Steps[1].Pos; pos.Line == 0 || pos.File == "" {
				t.Errorf("step Screen is at %v", pos)
			}
			if got := placeless(im.Deployments[0]); !reflect.DeepEqual(got, want) {
				t.Errorf("got\n%s\nwant\n%s", exported(t, got), exported(t, want))
			}
			def := im.Definitions[0]
			if got := def.Parameters; len(got) != 2 || got[0].Name != "camera" || !got[1].Required {
				t.Errorf("parameters %+v", got)
			}
		})
	}
}

// exported is a deployment as documents, to read.
func exported(t testing.TB, d *flow.Deployment) string {
	t.Helper()
	fs, err := Export(d, Models{})
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, f := range fs {
		b.WriteString("# " + f.Name + "\n" + string(f.Text))
	}
	return b.String()
}

var update = os.Getenv("UPDATE_GOLDEN") != ""

// TestImportFlows: each document of testdata/flows, shaped after flows that
// people have published, as it is written again after it was understood. The
// golden files also hold what has to be given before the flow can run.
func TestImportFlows(t *testing.T) {
	for _, f := range readFiles(t, "testdata/flows/*.graphql") {
		t.Run(f.Name, func(t *testing.T) {
			im := mustImport(t, Options{}, f)
			var b strings.Builder
			for _, n := range im.Needs.List {
				b.WriteString("# needs: " + n.String() + "\n")
			}
			known := mustRead(t, f).Known(Options{Services: map[string]string{"playMusic": "http://127.0.0.1/music"}})
			for _, d := range im.Deployments {
				b.WriteString(exported(t, d))
				if err := d.Validate(known); err != nil {
					t.Error(err)
				}
			}
			for _, m := range im.Devices {
				if err := flow.ValidateModel(m); err != nil {
					t.Error(err)
				}
			}
			golden := filepath.Join("testdata", "flows", strings.TrimSuffix(f.Name, ".graphql")+".golden")
			if update {
				if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got := b.String(); got != string(want) {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// TestRoundTrip: what was imported is exported and imported as the same.
func TestRoundTrip(t *testing.T) {
	sets := make(map[string][]File)
	for _, folder := range []string{"security", "visitors", "letters", "parcels"} {
		sets[folder] = readFiles(t, "testdata/"+folder+"/*.graphql")
	}
	for _, f := range readFiles(t, "testdata/flows/*.graphql") {
		sets[f.Name] = []File{f}
	}
	for name, fs := range sets {
		t.Run(name, func(t *testing.T) {
			for _, first := range mustImport(t, Options{}, fs...).Deployments {
				files, err := Export(first, Models{})
				if err != nil {
					t.Fatal(err)
				}
				again := mustImport(t, Options{}, files...).Deployments
				if len(again) != 1 {
					t.Fatalf("%d deployments", len(again))
				}
				if placeless(first); !reflect.DeepEqual(placeless(again[0]), first) {
					t.Errorf("got\n%s\nwant\n%s", exported(t, again[0]), exported(t, first))
				}
			}
		})
	}
}
