package jobs

import (
	"testing"

	"pithings/awsiot/refuse"
)

// A firmware update by streams, as the FreeRTOS OTA service makes its jobs, and a tunnel are rejected
// with the reason why they are not supported, and not as documents that somehow are wrong.
func TestWhatIsNotSupportedIsRejectedWithItsReason(t *testing.T) {
	for document, want := range map[string]string{
		`{"afr_ota":{"protocols":["MQTT"],"streamname":"AFR_OTA-1","files":[{"filepath":"a","filesize":1,"fileid":0,"certfile":"c","sig-sha256-ecdsa":"s"}]}}`: refuse.Streams,
		`{"streamname":"s"}`:       refuse.Streams,
		`{"clientAccessToken":""}`: refuse.Tunnels,
		`{"other":1}`:              `the document has no action: {"action": "diagnose"}`,
	} {
		if _, err := parseDocument([]byte(document)); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", document, err, want)
		}
	}
	if action, err := parseDocument([]byte(`{"action":"update-firmware","streamname":"s"}`)); err != nil || action != "update-firmware" {
		t.Errorf("%s, %v", action, err)
	}
}
