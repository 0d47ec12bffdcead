package agent

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"pithings/agent/access"
	"pithings/hw/mock"
)

// With pictures.expiry a picture is opened by the address that was announced, until it ends, and by those
// who may look; its name alone opens nothing. The screen of this process shows it by that address.
func TestSignedPictures(t *testing.T) {
	l := newLab(t, mock.Options{Screen: xrgb8888}, "pictures: {expiry: 1h}\n"+fmt.Sprintf(fourThings, 0, ""))
	hash, err := access.Hash(testPassword)
	if err == nil {
		err = l.agent.web.door.SetPassword(hash)
	}
	if err != nil {
		t.Fatal(err)
	}
	look, err := l.agent.web.door.AddToken("look", access.Look, nil)
	if err != nil {
		t.Fatal(err)
	}
	act, err := l.agent.web.door.AddToken("act", access.Act, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.publish("TG_Camera/capture", `{}`)
	var finished struct{ LastClickedImage string }
	if err := json.Unmarshal([]byte(l.message("TG_Camera/capture/finished")), &finished); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(finished.LastClickedImage)
	if err != nil || !strings.HasPrefix(u.Path, picturesFolder) || !access.IsSigned(u.RawQuery) {
		t.Fatalf("announced as %s", finished.LastClickedImage)
	}
	ask := func(method, target, body, token string) *http.Response {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, l.agent.WebURL()+target, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		if r.Host = "pi.example"; token != "" {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { resp.Body.Close() })
		return resp
	}
	ended, err := l.agent.web.door.Sign(u.Path, time.Now().Add(-time.Second))
	if err != nil {
		t.Fatal(err)
	}
	const other = picturesFolder + "abcdefghijklmnopqrstuvwxyz.jpg"
	for _, tc := range []struct {
		target, token string
		want          int
	}{
		{u.RequestURI(), "", 200},
		{u.Path, "", 401},
		{u.Path + "?" + u.RawQuery + "x", "", 401},
		{u.Path + "?" + strings.Replace(u.RawQuery, "exp=1", "exp=2", 1), "", 401},
		{u.Path + "?" + ended, "", 401},
		{other + "?" + u.RawQuery, "", 401},
		{other, look, 404},
		{u.Path, look, 200},
		{u.Path + "?token=" + look, "", 200},
		{u.Path + "?token=" + look + "x", "", 401},
	} {
		if got := ask("GET", tc.target, "", tc.token).StatusCode; got != tc.want {
			t.Errorf("%s: %d, want %d", strings.ReplaceAll(tc.target, look, "TOKEN"), got, tc.want)
		}
	}
	var signed struct{ Path string }
	resp := ask("POST", "/api/v1/address", `{"path": "`+u.Path+`", "for": "1m"}`, act)
	if err := json.NewDecoder(resp.Body).Decode(&signed); err != nil || ask("GET", signed.Path, "", "").StatusCode != http.StatusOK {
		t.Errorf("signed anew: %d %+v, %v", resp.StatusCode, signed, err)
	}
	l.publish("TG_Screen/display", `{"imageUri":"`+finished.LastClickedImage+`"}`)
	l.until("the picture on the screen", func() bool { return !black(l.mirror()) })
}
