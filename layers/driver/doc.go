// Package driver has the interfaces that a back end of a channel layer implements. It is to
// package layers what database/sql/driver is to database/sql: only drivers import it, and
// programs import layers, which has an alias for each name here.
//
// A [Driver] connects the layers of several processes, its nodes. What it can store is
// in optional interfaces: [Historian] keeps the history of groups, [Presencer] knows which keys
// are present in them. Package layertest has the suite that every driver must pass, and a
// driver within one process, for tests.
package driver
