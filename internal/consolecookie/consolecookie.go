// Package consolecookie knows the cookie that holds the token of a console's session. The
// console sets and reads it; the gateway keeps it from applications, for a browser sends
// a cookie to every port of its host.
package consolecookie

// Name is the cookie's.
const Name = "fairlead_console"
