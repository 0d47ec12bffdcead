// Package accepted keeps the settings that were accepted from afar, over the file of the
// administrator, who need not let this program write it.
//
// They are in the folder config of the state folder, a file for each revision, of which the
// last ten are kept:
//
//	config/000012.json
//	{
//	  "format": 1,
//	  "base": "9f86d081…",
//	  "from": "job update-7",
//	  "time": "2026-11-30T23:10:00Z",
//	  "settings": {"things": {"TG_BME": {"interval": "10s"}}}
//	}
//
// A broker that was given from afar is beside them, with its secret ([Connection]).
//
// The newest one counts, for as long as the file over which it stands is the one that its
// SHA-256 sum in base names: an administrator who changes the file has the last word. A file
// whose sum does not say that would need a clock that is right, which a Pi without a network
// does not have.
package accepted
