package things

import (
	"reflect"
	"strings"
	"testing"

	"pithings/camera"
	"pithings/hw"
)

// Each format that a configuration may name is one that cameras are asked for.
func TestCameraFormats(t *testing.T) {
	field, ok := reflect.TypeFor[CameraSettings]().FieldByName("Format")
	if !ok {
		t.Fatal("no format in the configuration")
	}
	names := strings.Split(field.Tag.Get("enum"), ",")
	asked := map[hw.PixelFormat]bool{}
	for _, name := range names {
		if _, ok := camera.ParseFormat(name); !ok {
			t.Errorf("format %s is not known", name)
		}
		asked[(&CameraSettings{Format: name}).opts().Pixel] = true
	}
	if len(asked) != len(names) || len(names) != 7 {
		t.Errorf("formats %v ask for %v", names, asked)
	}
}
