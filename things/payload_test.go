package things

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pithings/conf"
)

// TestPayloads compares with the lines of the Things Graph guide and of the
// BME680 tutorial, byte by byte.
func TestPayloads(t *testing.T) {
	at := time.Date(2020, 2, 12, 7, 30, 5, 123456000, time.UTC)
	nan := math.NaN()
	reading := Reading{Time: time.Unix(1581417910, 999), Temperature: 23.6, Humidity: 41.2, Pressure: 1013.25, Gas: 51234}
	for name, tc := range map[string]struct {
		got  []byte
		want string
	}{
		"motion":               {MotionPayload(true), `{"isMotionDetected": true}`},
		"motion, extra keys":   {encoded(new(record).bool(detectedKey, true).with(Extra{"room": "hall", "b": "\"x\""})), `{"isMotionDetected": true, "b": "\"x\"", "room": "hall"}`},
		"end of motion":        {MotionPayload(false), `{"isMotionDetected": false}`},
		"finished":             {encoded(finishedRecord("https://host/a.jpg?x=1&y=<2>", "")), `{"lastClickedImage": "https://host/a.jpg?x=1&y=<2>"}`},
		"display":              {displayPayload("https://host/a.jpg"), `{"imageUri":"https://host/a.jpg"}`},
		"display, cleared":     {displayPayload(""), `{"imageUri":""}`},
		"display, quotes":      {displayPayload("a\"b\\\n\x01é😀"), `{"imageUri":"a\"b\\\n\u0001\u00e9\ud83d\ude00"}`},
		"tutorial":             {Tutorial.Payload("temperature", 23.6, time.Unix(1581417910, 0), 7), `{"utc_timestamp": 1581417910, "value": 23.6, "origin": "BME680 temperature", "status": "success"}`},
		"tutorial, whole":      {Tutorial.Payload("gas", 51234, time.Unix(1581417910, 0), 7), `{"utc_timestamp": 1581417910, "value": 51234.0, "origin": "BME680 gas", "status": "success"}`},
		"tutorial, failed":     {Tutorial.Payload("humidity", nan, time.Unix(1581417910, 0), 7), `{"utc_timestamp": 1581417910, "value": null, "origin": "BME680 humidity", "status": "fail"}`},
		"script":               {Script.Payload("temperature", 23.6, at, 0), `{"sequence": 0, "value": 23.6, "status": "success", "timestamp_utc": "2020-02-12T07:30:05.123456Z"}`},
		"script, below zero":   {Script.Payload("temperature", -0.05, at, 1), `{"sequence": 1, "value": -0.05, "status": "success", "timestamp_utc": "2020-02-12T07:30:05.123456Z"}`},
		"script, failed":       {Script.Payload("temperature", nan, at, 12), `{"sequence": 12, "value": null, "status": "fail", "timestamp_utc": "2020-02-12T07:30:05.123456Z"}`},
		"script, another zone": {Script.Payload("temperature", 1, at.In(time.FixedZone("x", 3600)), 0), `{"sequence": 0, "value": 1.0, "status": "success", "timestamp_utc": "2020-02-12T07:30:05.123456Z"}`},
		"state":                {reading.State(), `{"utc_timestamp": 1581417910, "temperature": 23.6, "humidity": 41.2, "pressure": 1013.25, "gas_resistance": 51234.0, "status": "success"}`},
		"state, failed":        {failed(time.Unix(1581417910, 0)).State(), `{"utc_timestamp": 1581417910, "temperature": null, "humidity": null, "pressure": null, "gas_resistance": null, "status": "fail"}`},
	} {
		t.Run(name, func(t *testing.T) {
			if string(tc.got) != tc.want {
				t.Errorf("got  %s\nwant %s", tc.got, tc.want)
			}
			if !json.Valid(tc.got) {
				t.Errorf("not JSON: %s", tc.got)
			}
		})
	}
}

// The messages of a reading are those that a sensor publishes, in their order.
func TestPayloadsOfReading(t *testing.T) {
	s := environmentKind.New().(*EnvironmentSettings)
	conf.Fill(s)
	r := Reading{Time: time.Unix(1581417910, 0), Temperature: 23.6, Humidity: 41.2, Pressure: 1013.25, Gas: 51234}
	for _, s.Schema = range []Schema{Tutorial, Script} {
		e := Environment{EnvironmentSettings: *s, sensor: s.opts()}
		want := e.reported(r, 7)
		for role, payload := range r.Payloads(s.Schema, 7) {
			if len(want) == 0 || role != want[0].name || string(payload) != string(encoded(want[0].record)) {
				t.Fatalf("%s: %s %s, and the sensor publishes %+v", s.Schema, role, payload, want)
			}
			want = want[1:]
		}
		if len(want) > 0 {
			t.Errorf("%s: the sensor publishes %d more", s.Schema, len(want))
		}
	}
	for range r.Payloads(Tutorial, 0) { // may be left
		break
	}
}

func TestReadDisplay(t *testing.T) {
	for payload, want := range map[string]string{
		`{"imageUri":"http://x/a.jpg"}`:   "http://x/a.jpg",
		`{"imageUri":" http://x/a.jpg "}`: "http://x/a.jpg",
		`{"imageUri":""}`:                 "",
		`{"imageUri":null}`:               "",
		`{}`:                              "",
	} {
		if uri, err := ReadDisplay([]byte(payload)); uri != want || err != nil {
			t.Errorf("%s: %q, %v", payload, uri, err)
		}
	}
	for _, payload := range []string{"", "null", "[]", `{"imageUri":7}`, "{"} {
		if uri, err := ReadDisplay([]byte(payload)); err == nil || uri != "" {
			t.Errorf("%s: %q, %v", payload, uri, err)
		}
	}
}

func encoded(r *record) []byte {
	payload, _ := r.encode()
	return payload
}

func TestExpand(t *testing.T) {
	got, err := Expand(cameraKind.Templates(), "Hall", map[string]string{"finished": "house/{thing}/done"})
	if err != nil || got["capture"] != "Hall/capture" || got["finished"] != "house/Hall/done" {
		t.Errorf("%v, %v", got, err)
	}
	if cameraKind.Topics[0].Template != "{thing}/capture" {
		t.Error("the templates were changed")
	}
	if _, err := Expand(cameraKind.Templates(), "Hall", map[string]string{"finish": "x"}); err == nil || !strings.Contains(err.Error(), "capture, finished") {
		t.Errorf("unknown role: %v", err)
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		`{"a": 1}`:                      `{"a": 1}`,
		"\x1b[2J\r\nfake line":          `\u001b[2J\u000d\u000afake line`,
		"grün\u202egnp.exe":             `grün\u202egnp.exe`,
		"\xff\xd8\xff":                  "(3 bytes that are not text)",
		strings.Repeat("a", 1025):       strings.Repeat("a", 1024) + "… (1025 bytes)",
		strings.Repeat("a", 1023) + "é": strings.Repeat("a", 1023) + "… (1025 bytes)",
	} {
		if got := Printable([]byte(in)); got != want {
			t.Errorf("Printable(%.20q) = %.60q, want %.60q", in, got, want)
		}
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("https://host/a.jpg")
	f.Add("\"\\\x00\u2028é😀")
	f.Fuzz(func(t *testing.T, s string) {
		var got struct {
			ImageURI string `json:"imageUri"`
		}
		b := displayPayload(s)
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%q: %v", b, err)
		}
		if want := strings.ToValidUTF8(s, "\ufffd"); utf8.ValidString(s) && got.ImageURI != want {
			t.Errorf("%q came back as %q", want, got.ImageURI)
		}
	})
}

// FuzzCommands: no payload makes anything panic, and an answer without a
// picture is never one with.
func FuzzCommands(f *testing.F) {
	for _, s := range []string{`{}`, `{"imageUri": null}`, `{"imageUri": 1}`, `{"lastClickedImage": ["x"]}`, `[]`, ``, `{"isMotionDetected" : true }`, "\xff", `{"token": "x"}`, `{"isMotionDetected": true, "time": 1e99}`, `{"imageUri":"a","lastClickedImage":"b"}`} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		var c displayCommand
		decode(payload, &c)
		if v, err := new(MotionSettings).Describe(nil).Wire.Events["StateChanged"].Read(payload); err == nil {
			if _, ok := v["isMotionDetected"].(bool); !ok {
				t.Errorf("%q: %v", payload, v)
			}
			EventTime(v, "")
		}
		if v, err := ReadBare("any")(payload); err == nil {
			EventTime(v, "value")
		}
		if token := tokenOf(payload); token != "" {
			if echo, err := ReadFinished(encoded(finishedRecord("u", token))); err != nil || echo["token"] != token {
				t.Errorf("the token %q comes back as %v, %v", token, echo, err)
			}
			if again, err := withToken([]byte("{}"), "token", token); err != nil || tokenOf(again) != token {
				t.Errorf("the token %q is sent as %s, %v", token, again, err)
			}
		}
		if v, err := ReadFinished(payload); err == nil {
			if s, ok := v["lastClickedImage"].(string); !ok || s == "" {
				t.Errorf("%q: %v", payload, v)
			}
		}
		if p := Printable(payload); strings.ContainsAny(p, "\x1b\r\n") {
			t.Errorf("%q is printed as %q", payload, p)
		}
	})
}

func TestDecodeErrors(t *testing.T) {
	for in, want := range map[string]string{
		"picture":                  "payload is not JSON (7 bytes)",
		"":                         "payload is not JSON (0 bytes)",
		" null\n":                  "payload is a JSON null; a JSON object is wanted",
		`"text"`:                   "payload is a JSON string; a JSON object is wanted",
		`{"imageUri": 7}`:          `"imageUri" is a JSON number; a string is wanted`,
		strings.Repeat(" ", 1<<20): "payload of 1048576 bytes is longer than 131072",
	} {
		var c displayCommand
		if err := decode([]byte(in), &c); err == nil || err.Error() != want {
			t.Errorf("%.20q: %v, want %s", in, err, want)
		}
	}
}

func TestExtraKeys(t *testing.T) {
	if err := (Extra{"room": "hall", "state": "on", "time": "now"}).Validate(motionKind); err != nil {
		t.Error(err)
	}
	for _, k := range []string{"", "isMotionDetected", "value", "utc_timestamp"} {
		if (Extra{k: "x"}).Validate(nil) == nil {
			t.Errorf("%q is taken", k)
		}
	}
	for k, kind := range map[string]*Kind{"state": inputKind, "event": inputKind, "queued": hostKind} {
		if (Extra{k: "x"}).Validate(kind) == nil {
			t.Errorf("%q is taken in the payloads of %s", k, kind.Name)
		}
	}
}
