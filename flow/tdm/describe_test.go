package tdm

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"pithings/device"
	"pithings/flow"
)

func files(texts ...string) []File {
	var fs []File
	for i, text := range texts {
		fs = append(fs, File{Name: string(rune('a'+i)) + ".graphql", Text: []byte(text)})
	}
	return fs
}

// TestBuiltinDevices: topics and payloads are the seeds' (TG_MS/motion and so on).
func TestBuiltinDevices(t *testing.T) {
	d := mustRead(t)
	picture := device.Payload{Keys: map[string]device.ValueType{"lastClickedImage": device.StringType}}
	object := device.Payload{Keys: map[string]device.ValueType{"lastClickedImage": device.StringType, "s3BucketName": device.StringType, "s3ItemName": device.StringType}}
	want := map[string]device.Model{
		"HCSR501MotionSensor": {Implements: "MotionSensor", Events: map[string]device.EventModel{"StateChanged": {Topic: "{thing}/motion",
			Payload: device.Payload{Keys: map[string]device.ValueType{"isMotionDetected": device.BooleanType}}}}},
		"RaspberryPiCamera": {Implements: "Camera", Actions: map[string]device.ActionModel{"capture": {Topic: "{thing}/capture",
			Answer: "{thing}/capture/finished", Result: picture}}},
		"RaspberryPiCameraRkgnExample": {Implements: "CameraRkgnExample", Actions: map[string]device.ActionModel{"capture": {Topic: "{thing}/capture",
			Answer: "{thing}/capture/finished", Result: object}}},
		"RaspberryPiScreen": {Implements: "Screen", Actions: map[string]device.ActionModel{"display": {Topic: "{thing}/display",
			Params: map[string]device.ValueType{"imageUrl": device.StringType}, Request: map[string]any{"imageUri": "${imageUrl}"}}}},
	}
	for name, model := range want {
		model.Implements = "urn:tdm:aws/examples:deviceModel:" + model.Implements
		for _, id := range []string{"urn:tdm:aws/examples:device:" + name, "urn:tdm:aws/examples:Device:" + name} {
			got, ok := d.Device(id)
			if !ok {
				t.Errorf("%s is not built in", id)
				continue
			}
			model.ID = "urn:tdm:aws/examples:device:" + name
			if !reflect.DeepEqual(got, model) {
				t.Errorf("%s is\n%+v\nwant\n%+v", id, got, model)
			}
			if err := flow.ValidateModel(got); err != nil {
				t.Error(err)
			}
		}
	}
	if got, want := len(d.builtin.devices), len(want); got != want {
		t.Errorf("%d devices are built in, want %d", got, want)
	}
	for _, dev := range d.builtin.devices {
		r := &reader{}
		if d.describe(r, dev); r.problems.Err() != nil {
			t.Error(r.problems.Err())
		}
	}
	for _, name := range []string{"MotionSensor", "Camera", "CameraRkgnExample", "Screen"} {
		u, _ := parseURN("urn:tdm:aws/examples:DeviceModel:" + name)
		if _, ok := find(u, d.library.models, d.builtin.models); !ok {
			t.Errorf("the model %s is not built in: there are %v", name, slices.Collect(maps.Keys(d.builtin.models)))
		}
	}
}

// lamp is a device of no maker: bare values, several parameters, fixed values,
// an expression, and a topic without macro.
const lamp = `{
# what a lamp takes
type SwitchAction @actionType(id: "urn:tdm:eu-west-1/123456789012/default:action:Switch") {
  level: Int @property(id: "urn:tdm:aws:Property:Int32"),
  colour: String @property(id: "urn:tdm:aws:property:String")
}
type LampCapability @capabilityType(id: "urn:tdm:eu-west-1/123456789012/default:capability:Lamp") {
  switch: SwitchAction @action(id: "urn:tdm:eu-west-1/123456789012/default:action:Switch")
  Power: PowerEvent @event(id: "urn:tdm:eu-west-1/123456789012/default:event:Power")
}
type PowerEvent @eventType(id: "urn:tdm:eu-west-1/123456789012/default:event:Power", payload: "urn:tdm:aws:property:Float64") {ignore:void}
type Lamp @deviceModel(id: "urn:tdm:eu-west-1/123456789012/default:deviceModel:Lamp", capability: "urn:tdm:eu-west-1/123456789012/default:capability:Lamp") { IGNORE : VOID }
query HallLamp @device(id: "urn:tdm:eu-west-1/123456789012/default:device:HallLamp", deviceModel: "urn:tdm:eu-west-1/123456789012/default:DeviceModel:Lamp") {
  mqtt {
    LampCapability(id: "urn:tdm:eu-west-1/123456789012/default:capability:Lamp") {
      EVENT(name: "Power") { subscribe(topic: "${systemRuntime.deviceId}/power") { responsepayload(property: "urn:tdm:aws:Property:Float64") } }
      action(name: "switch") {
        PARAMS { param(name: "level", property: "urn:tdm:aws:property:int32"), param(name: "colour", property: "urn:tdm:aws:property:string") }
        publish {
          request(topic: "home/lamps/${SystemRuntime.DeviceId}/set") {
            params {
              param(name: "brightness", property: "urn:tdm:aws:property:Int32", value: "${level.value * 254 / 100}")
              param(name: "Colour")
              param(name: "note", value: "$macro(from ${colour.value} to ${level.value} %)")
              param(name: "transition", property: "urn:tdm:aws:property:Int32", value: 2)
              param(name: "on", value: TRUE)
              param(name: "mode", value: "steady")
            }
          }
          response(topic: "home/lamps/$macro/done")
        }
      }
    }
  }
}}`

func TestDescribeDevice(t *testing.T) {
	d := mustRead(t, files(lamp)...)
	want := device.Model{
		ID:         "urn:tdm:eu-west-1/123456789012/default:device:HallLamp",
		Implements: "urn:tdm:eu-west-1/123456789012/default:DeviceModel:Lamp",
		Events: map[string]device.EventModel{
			"Power": {Topic: "{thing}/power", Payload: device.Payload{Bare: device.NumberType}}},
		Actions: map[string]device.ActionModel{"switch": {
			Topic:  "home/lamps/{thing}/set",
			Params: map[string]device.ValueType{"level": device.IntegerType, "colour": device.StringType},
			Request: map[string]any{"brightness": "${level * 254 / 100}", "Colour": "${colour}", "note": "from ${colour} to ${level} %",
				"transition": int64(2), "on": true, "mode": "steady"},
			Answer: "home/lamps/$macro/done"}},
	}
	if got := d.DeviceModels(); len(got) != 1 || !reflect.DeepEqual(got[0], want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}
