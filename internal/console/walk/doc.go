// Package walk has a browser walk the console of the real binary, with real functions
// and real traffic behind it.
//
// Chromium, driven by playwright-core, signs in by a one-time link and goes to every
// screen of the navigation and to the parts of screens that testdata/walk.mjs names, at
// the width of a desk and of a phone, light and dark. Nothing may be wider than the
// window, print an error or break a rule of axe-core that is serious. With
// DROPSTACK_SCREENSHOTS=DIR it leaves a picture of each there, to be looked at.
//
// A second browser presses what changes something (testdata/press.mjs), and the platform
// is asked what came of it. Renewing a certificate is left out, which takes an authority.
package walk
