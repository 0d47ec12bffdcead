package fleet

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	pages "pithings/awsiot/playground"
	"pithings/awsiot/provision/authority"
	"pithings/awsiot/provision/document"
	"pithings/mqttlink/broker"
)

// ask sends an operation to the factory, with its token, and returns status and answer.
func (r *running) ask(operation string) (int, map[string]any) {
	r.t.Helper()
	req, err := http.NewRequest(http.MethodPost, r.f.URL()+"/factory", strings.NewReader(operation))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+r.f.shown)
	answer, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer answer.Body.Close()
	v := map[string]any{}
	if err := json.NewDecoder(answer.Body).Decode(&v); err != nil {
		r.t.Fatal(err)
	}
	return answer.StatusCode, v
}

// done is ask for what has to succeed.
func (r *running) done(operation string) map[string]any {
	r.t.Helper()
	code, v := r.ask(operation)
	if code != http.StatusOK {
		r.t.Fatalf("%s: %d %v", operation, code, v)
	}
	return v
}

// fails is ask for what must not, with what the error says.
func (r *running) fails(operation, says string) {
	r.t.Helper()
	if code, v := r.ask(operation); code != http.StatusInternalServerError || !strings.Contains(v["error-message"].(string), says) {
		r.t.Errorf("%s: %d %v, want %q", operation, code, v, says)
	}
}

// Devices are born, linked, described and deleted.
func TestFactory(t *testing.T) {
	r := runFactory(t, func(o *Options) { o.Devices = 3 })
	if s := r.f.Report(); s.Attempts != 0 {
		t.Errorf("before a device is made: %+v", s)
	}
	r.ok("/config?time=5", "there are no devices")
	c := r.done(`{"operation":"create-device","device-type":"switch"}`)
	sw := c["dev_name"].(string)
	if len(sw) != len("dev-QAUE") || c["endpoint"] != r.broker.Endpoint() || c["result"] != "OK" || c["task_arn"] != "arn:pithings:local:task/"+sw || c["cluster_arn"] != "arn:pithings:local:cluster/fleet" {
		t.Errorf("%v", c)
	}
	r.wait("cmd/"+sw+"/event", sw)
	r.ok("/devices/"+sw+"/press_on", "link one")
	bulb := r.done(`{"operation" : "create-device", "device-type": "controlled" }`)["dev_name"].(string)
	r.wait("$aws/things/"+bulb+"/shadow/update", `{"state":{"desired":{"debug":"off"}}}`)
	r.ok("/devices/"+bulb+"/shadow", `"debug":"off"`)
	if v := r.done(`{"operation":"link-devices","source-device-id":"` + sw + `","target-device-id":"` + bulb + `"}`); v["policy-name"] != sw+"-att-"+bulb+"-Policy" {
		t.Errorf("%v", v)
	}
	r.ok("/devices/"+sw+"/press_on", `"ok":true`)
	r.wait("$aws/things/"+bulb+"/shadow/update", `{"state":{"reported":{"status":"on"}}}`)
	v := r.done(`{"operation":"describe-device","device-id":"` + sw + `"}`)
	if data := v["data"].(map[string]any); v["dev-name"] != sw || data["Status"] != "RUNNING" || data["controlled-device"] != bulb || data["ip"] != "127.0.0.1" {
		t.Errorf("%v", v)
	}
	r.done(`{"operation":"create-device"}`)
	r.fails(`{"operation":"create-device"}`, "3 places are taken")
	if n := len(r.done(`{"operation":"list-devices"}`)["devices"].([]any)); n != 3 {
		t.Errorf("%d devices", n)
	}
	if s := r.f.Report(); s.Devices != 3 || s.Places != 3 {
		t.Errorf("%d of %d places", s.Devices, s.Places)
	}
	r.ok("/devices/"+sw+"/config?time=7", `"ok":true`)
	if v := r.done(`{"operation":"delete-device","device-id":"` + sw + `"}`); v["dev-name"] != sw || v["result"] != "TERMINATED" {
		t.Errorf("%v", v)
	}
	r.await("away", func() bool { return r.f.Report().Connected == 2 })
	s, line := r.f.Report(), r.f.Meter().Line()
	if text := s.String(); s.Devices != 2 || !strings.Contains(text, "2 of 2 that were made") || !strings.HasPrefix(line, "2 of 2 connected") {
		t.Errorf("%s\n%s", text, line)
	}
	for _, operation := range []string{"describe-device", "delete-device"} {
		r.fails(`{"operation":"`+operation+`","device-id":"`+sw+`"}`, "no device")
		r.fails(`{"operation":"`+operation+`"}`, "device_id not found")
	}
	r.fails(`{"operation":"link-devices","source-device-id":"`+bulb+`","target-device-id":"`+bulb+`"}`, "switches nothing")
	r.fails(`{"operation":"link-devices"}`, "no device")
	r.fails(`{"operation":"create-devise"}`, "create-device")
	r.fails(`{"operation":"create-device","device-type":"blub"}`, "bulb")
	r.fails(`[]`, "no JSON object")
	if code, _ := r.get("/devices/" + sw + "/"); code != http.StatusNotFound {
		t.Errorf("%d for a device that is deleted", code)
	}
	again := r.done(`{"operation":"create-device","device-type":"switch"}`)["dev_name"].(string)
	r.wait("cmd/"+again+"/event", again)
	r.ok("/devices/"+again+"/", `"seconds":3600`)
	if r.all["cmd/"+sw+"/lwt"] > 0 { // it would have come before the next device's event
		t.Error("a device that is deleted leaves a will")
	}
}

// A request for a device that is deleted meanwhile does nothing to the one that moves into its place.
func TestDeletedMeanwhile(t *testing.T) {
	r := runFactory(t, func(o *Options) { o.Devices = 1 })
	gone := r.done(`{"operation":"create-device","device-type":"switch"}`)["dev_name"].(string)
	i, ok := r.f.find(gone)
	if !ok {
		t.Fatalf("no %s", gone)
	}
	found := &target{r.f, whom{[]int{i}, gone}}
	r.done(`{"operation":"delete-device","device-id":"` + gone + `"}`)
	now := r.done(`{"operation":"create-device","device-type":"switch"}`)["dev_name"].(string)
	r.await("online", func() bool { return r.f.Report().Connected == 1 })
	time5 := pages.Config{Time: 5 * time.Second}
	if err := found.Config(t.Context(), &time5); err != errGone {
		t.Errorf("it is configured: %v", err)
	}
	if err := found.Act(t.Context(), pages.Tamper); err != errGone {
		t.Errorf("it acts: %v", err)
	}
	if err := found.Press(t.Context(), true); err != errGone {
		t.Errorf("it is pressed: %v", err)
	}
	for _, what := range []pages.View{pages.Home, pages.Cert, pages.Shadow} {
		if v, err := found.Read(t.Context(), what); err != errGone {
			t.Errorf("%q: %v, %v", what, v, err)
		}
	}
	r.ok("/devices/"+now+"/", `"seconds":3600`)
}

// Without the token nothing is done, and no page of another site does it with a browser's login.
func TestFactoryToken(t *testing.T) {
	r := runFactory(t, nil)
	for _, tc := range []struct {
		name, authorization, site string
		want                      int
	}{
		{"none", "", "", 401}, {"another", "Bearer x", "", 403}, {"no scheme", r.f.shown, "", 403},
		{"of a page elsewhere", "Bearer " + r.f.shown, "cross-site", 403}, {"right", "Bearer " + r.f.shown, "", 200},
	} {
		req, err := http.NewRequest(http.MethodPost, r.f.URL()+"/factory", strings.NewReader(`{"operation":"list-devices"}`))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", tc.authorization)
		if tc.authorization == "" {
			req.Header.Del("Authorization")
		}
		if tc.site != "" {
			req.Header.Set("Sec-Fetch-Site", tc.site)
		}
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if answer.StatusCode != tc.want || tc.want != 200 && !strings.Contains(string(text), "error-message") {
			t.Errorf("%s: %d %s, want %d", tc.name, answer.StatusCode, text, tc.want)
		}
	}
	if !strings.Contains(r.f.Plan(), "with the token "+r.f.shown) {
		t.Error(r.f.Plan())
	}
}

// A device of an authority has a certificate of its own, connects with it, and is given away as one
// document, which provision document reads.
func TestFactoryWithAuthority(t *testing.T) {
	pki := t.TempDir()
	if err := os.Chmod(pki, 0o700); err != nil {
		t.Fatal(err)
	}
	a, err := authority.Open(pki, authority.Options{Hosts: []string{"127.0.0.1"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Server(); err != nil {
		t.Fatal(err)
	}
	a.Close()
	b := tlsBroker(t, pki)
	r := runAt(t, nil, b, func(o *Options) {
		o.Factory, o.Devices, o.Identities = true, 2, pki
	})
	c := r.done(`{"operation":"create-device","device-type":"generic"}`)
	name := c["dev_name"].(string)
	r.await("online with its certificate", func() bool { return r.f.Report().Connected == 1 })
	r.ok("/devices/"+name+"/cert", "BEGIN CERTIFICATE")
	if _, text := r.get("/devices/" + name + "/cert"); strings.Contains(text, "PRIVATE") {
		t.Error("the key is shown")
	}
	link := c["config_file_url"].(string)
	for _, wrong := range []string{strings.Replace(link, name, "dev-XXXX", 1), link[:len(link)-1] + "0x", strings.Replace(link, "expires=1", "expires=2", 1), strings.SplitN(link, "?", 2)[0]} {
		if _, err := document.Fetch(t.Context(), wrong, nil); err == nil {
			t.Errorf("%s gives a document", wrong)
		}
	}
	key := filepath.Join(pki, authority.Devices, name, "device.key")
	if err := os.Rename(key, key+"x"); err != nil {
		t.Fatal(err)
	}
	if _, err := document.Fetch(t.Context(), link, nil); err == nil {
		t.Error("a document without a key")
	}
	if err := os.Rename(key+"x", key); err != nil {
		t.Fatal(err)
	}
	text, err := document.Fetch(t.Context(), link, nil) // what failed did not use it up
	if err != nil {
		t.Fatal(err)
	}
	d, err := document.Parse(text)
	if err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	if d.Name != name || d.Endpoint != b.Endpoint() || d.Type != "generic" || d.CA == "" {
		t.Errorf("%+v", d)
	}
	if _, err := document.Fetch(t.Context(), link, nil); err == nil || !strings.Contains(err.Error(), "refuses") {
		t.Errorf("a second time: %v", err)
	}
	folder := filepath.Join(pki, authority.Devices, name)
	if _, err := os.Stat(folder); err != nil {
		t.Fatal(err)
	}
	r.done(`{"operation":"delete-device","device-id":"` + name + `"}`)
	if _, err := os.Stat(folder); err == nil {
		t.Error("the key is kept")
	}
	if _, err := (&Fleet{plan: &plan{Options: Options{Identities: t.TempDir(), Factory: true}}}).Remote(HTTP{Address: "127.0.0.1:0"}); err == nil || !strings.Contains(err.Error(), "provision local") {
		t.Errorf("without an authority: %v", err)
	}
}

// runFactory is a factory at a broker with a cloud.
func runFactory(t *testing.T, change func(*Options)) *running {
	t.Helper()
	s := newScene(t)
	return runAt(t, s, s.broker, func(o *Options) {
		o.Factory = true
		if change != nil {
			change(o)
		}
	})
}

// tlsBroker is a broker that wants certificates of an authority.
func tlsBroker(t *testing.T, pki string) *broker.Broker {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(filepath.Join(pki, authority.ServerCert), filepath.Join(pki, authority.ServerKey))
	if err != nil {
		t.Fatal(err)
	}
	ca, err := os.ReadFile(filepath.Join(pki, authority.CACert))
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca)
	b, err := broker.Start("127.0.0.1:0", broker.Options{TLS: &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: roots}}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}
