// Package playground is the web interface of the AWS IoT Playground's devices: what they are asked and
// made to do over HTTP (github.com/reisjr/aws-iot-playground, virtual-device/app.py).
//
//	/config?time=1&topic=newtopic/{}     GET, or a form: changes a device while it runs
//	/actions                             a form with action=tamper, reconnect, clean, large, autherr
//	/press_on /press_off                 presses a switch
//	/ /name /endpoint /cert /shadow /log /help
//
// A [Target] is what is asked: one device, or all of a fleet. [Serve] reads a request, asks the target
// and answers, as JSON unless a browser wants a page. As in the playground, GET changes things, and a
// value that is refused is answered with status 200 and the text of the error. So whoever serves these
// routes checks first who asks: this package does not.
package playground
