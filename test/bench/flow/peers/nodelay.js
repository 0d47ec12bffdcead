// node -r ./nodelay.js: every socket gets TCP_NODELAY, which Node-RED does not ask for.
const net = require('net')
const emit = net.Socket.prototype.emit
net.Socket.prototype.emit = function (event, ...rest) {
  if (event === 'connect') this.setNoDelay(true)
  return emit.call(this, event, ...rest)
}
