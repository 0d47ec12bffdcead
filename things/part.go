package things

// Part is a thing with a part that only one program can use well. Other programs of this
// host, which would find it busy, let the thing use it instead: by its actions
// (device.Actor), among which are some for them alone, that no message is published about.
type Part interface {
	// Part returns what the configuration calls the part ("GPIO17", "/dev/video0"), and
	// the action for other programs.
	Part() (name, action string)
}

// The actions for other programs of this host.
const (
	// ActionRead of a motion sensor answers isMotionDetected. With the number waitSeconds
	// it waits so long for motion.
	ActionRead = "read"
	// ActionPicture of a camera answers with a picture that is neither stored nor
	// announced: jpeg (base64), width, height, and taken (RFC 3339).
	ActionPicture = "picture"
	// ActionDisplay of a screen shows imageUri, as flows have it do.
	ActionDisplay = "display"
)
