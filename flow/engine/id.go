package engine

import (
	"crypto/rand"
	"encoding/hex"
	"time"
)

// executionID is <flow>_<time>_<trigger>_<uuid>, as the cloud service made it.
func executionID(id, trigger string, at time.Time) string {
	b := make([]byte, 0, len(id)+len(trigger)+64)
	b = append(append(b, id...), '_')
	b = at.UTC().AppendFormat(b, "2006-01-02T15:04:05.000Z")
	b = append(append(append(b, '_'), trigger...), '_')
	var u [16]byte
	rand.Read(u[:])
	u[6], u[8] = u[6]&0x0f|0x40, u[8]&0x3f|0x80 // RFC 9562, version 4
	for i, part := range [][]byte{u[:4], u[4:6], u[6:8], u[8:10], u[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return string(b)
}
