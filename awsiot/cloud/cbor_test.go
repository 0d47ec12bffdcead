package cloud_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"pithings/awsiot/cloud/cloudtest"
	"pithings/awsiot/internal/cbor"
)

// What comes as CBOR is answered as CBOR, with the same content as in JSON.
func TestCBOR(t *testing.T) {
	r := serve(t, cloudtest.Options())
	ask := func(topic string, content map[string]any) map[string]any {
		t.Helper()
		b, err := cbor.Encode(content)
		if err != nil {
			t.Fatal(err)
		}
		r.publish(topic, string(b))
		got, payload := r.next()
		value, err := cbor.Decode([]byte(payload))
		if err != nil || got != topic+"/accepted" {
			t.Fatalf("%s %x: %v", got, payload, err)
		}
		return value.(map[string]any)
	}
	got := ask("$aws/certificates/create/cbor", map[string]any{})
	token, ok := got["certificateOwnershipToken"].(string)
	if !ok || len(got) != 4 {
		t.Fatalf("%v", got)
	}
	got = ask("$aws/provisioning-templates/fleet/provision/cbor", map[string]any{"certificateOwnershipToken": token, "parameters": map[string]any{"SerialNumber": "1"}})
	if want := map[string]any{"thingName": "pi-1", "deviceConfiguration": map[string]any{"interval": "60"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	got = ask("$aws/things/pi-1/defender/metrics/cbor", map[string]any{
		"hed": map[string]any{"rid": json.Number("7"), "v": "1.0"}, "met": map[string]any{"ns": map[string]any{"bi": json.Number("5000000000")}},
	})
	if delete(got, "timestamp"); !reflect.DeepEqual(got, map[string]any{"thingName": "pi-1", "reportId": json.Number("7"), "status": "ACCEPTED"}) {
		t.Errorf("%v", got)
	}
}
