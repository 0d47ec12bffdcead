// Package config reads the configuration of pithings: a YAML file that is read
// strictly, overridden by PITHINGS_… environment variables, checked as a whole
// and turned into a [Config] in which every default is filled in.
//
// The keys, their defaults, ranges and meanings stand in one place, the struct
// tags of [Config] and its parts:
//
//	json:"interval"          the key
//	default:"3s"             its value when the file does not give it
//	min:"1s" max:"24h"       the range, in the same notation
//	enum:"detected,both"     the only values
//	jsonschema:"…"           its meaning, for editors
//
// Reading, environment variables, [Schema] and the test of [Example] all follow
// these tags. Problems are reported together, one line each, with file, line
// and column; they never contain secrets.
package config
