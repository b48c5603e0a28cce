package router

// seedRouter is a router, as the text of routeSpecs, and paths for it. Each one is a case
// that a random router would rarely have.
type seedRouter struct {
	lines []string
	paths []string
}

func seedRouters() []seedRouter {
	const id = "075194d3-6885-417e-a8a8-6c931e272f00"
	return []seedRouter{
		{[]string{"path ", "path foo/", "re bar", `re ^posargs/(\d+)/$`, "path,with:kind=x,with:a=y default/<str:a>/"}, []string{"/bar", "/x/bar/y/", "/posargs/42/", "/default/moin/", "//default/a"}},
		{[]string{`re,urls ^universe/(?P<book>\w+)/`, "\tre test/(\\w+)/$", "\tre ^test/$", "\tre ^(?P<test>\\w+)/(?P<book>\\d+)/$"}, []string{"/universe/42/test/3/", "/universe/42/test/", "/universe/42/x/7/", "/universe/42//x/7"}},
		{[]string{`re,urls ^positional/(\w+)/`, "\tre,name=a ^test/(\\d+)/$"}, []string{"/positional/foo/test/3/"}},
		{[]string{"mount,use,name=n number/<int:number>/", "\tpath,name=i ", "\tpath,name=p page/<int:page>/"}, []string{"/number/42/", "/number/42", "/number/42/page/3/", "/number/42/page/3", "/number/blub/"}},
		{[]string{"mount prefix/", "\tpath,no no-match", "path prefix/stuff"}, []string{"/prefix/stuff", "/prefix/no-match", "/prefix/stuff/"}},
		{[]string{"mount,name=a <slug:a>/", "\tmount,name=b <slug:b>/", "\t\tmount,name=c <slug:c>/", "\t\t\tpath,name=d <slug:d>/", "path <a>/<b>/<c>/<d>/<e>/"}, []string{"/a/b/c/d/", "/a/b/c/d", "//a//b//c//d//", "/a/b/c/d/e/", "/a/b/c/d/e"}},
		{[]string{"mount <slug:x>/", "\tmount <slug:x>/", "\t\tpath,with:y=z,name=n <slug:x>/"}, []string{"/1/2/3/", "/1/1/1/"}},
		{[]string{"mount,urls a/", "mount,no a/", "mount,teapot a/", "path a/b/"}, []string{"/a/", "/a/b/", "/a"}},
		{[]string{"mount,hide a/", "\tpath x/", "mount,bare a/", "\tpath y/", "mount,wrap a/", "\tpath z/", "mount,use a/", "\tpath w/"}, []string{"/a/x/", "/a/y/", "/a/z/", "/a/w/", "/a/v/", "/a/x", "/a/y", "/a/z", "/a/w"}},
		{[]string{`re,urls ^\w/`, "\tpath x/", "re ^[ab]/$", "re ^[ab]/[a-z]/$"}, []string{"/a", "/a/", "/a/x", "/a/y", "/a/y/"}},
		{[]string{`re,hide,urls ^a`, "path a/"}, []string{"/a", "/a/"}},
		{[]string{"path,no a/<slug:b>/", "path,teapot <a>/x/", "re,no ^c/$"}, []string{"/a/x/", "/b/x/", "/c/", "/c"}},
		{[]string{"path,name=a <int:a>", `re \A(?P<a>[0-9]+)\z`, "path <big:a>", "path <even:a>", "path <year:a>"}, []string{"/99999999999999999999", "/9223372036854775807", "/0000000000000000000000001", "/2026"}},
		{[]string{"path <int:a>/", "path <even:a>/"}, []string{"/99999999999999999998/"}},
		{[]string{"re,urls ^a/", "\tpath x/", "re [ab]/"}, []string{"/a", "/a/", "/b"}},
		{[]string{"path <even:a>/", "path <even:a>/", "path <int:a>/"}, []string{"/4/", "/5/", "/5"}},
		{[]string{"path,name=u <uuid:a>/", "path <slug:a>/", "path <str:a>/", "path <path:a>"}, []string{"/" + id + "/", "/" + id, "/a b/", "/a/b/", "/a\n/"}},
		{[]string{"path <path:a>/edit/<path:b>", "path,name=x <path:a>/<path:b>/", "path <path:a>"}, []string{"/a/edit/b/edit/c", "/a/b/c/", "/a/edit/"}},
		{[]string{"path <a>-<b>", "path <int:a><slug:b>", "path <a>.<b>/", "path,name=l <lazy:a><lazy:b>/"}, []string{"/1-2-3", "/12ab", "/a.b.c/", "/abc/"}},
		{[]string{"path <alt:a>/<maybe:b>/<fold:c>", "path,name=a <alt:a><word:b>", "path <none:a>/<line:b>", "path <maybe:a>", "mount <all:a>"}, []string{"/ab//aB", "/b/c/x/abb", "/abc", "/x", "/\n"}},
		{[]string{"re ^(?:(?P<a>\\d)|xy)(?P<c>\\w+)$", "re,name=r ^(?:(?P<a>\\d+)/)?(?P<b>\\w+)/$", "re,name=s ^(?:en|de)/(?P<a>\\w+)$"}, []string{"/xyc", "/1c", "/5/x/", "/x/", "/de/x"}},
		{[]string{"re,name=r ^(?:(?P<a>\\d)|xy)(?P<c>\\w+)$"}, []string{"/xyc"}},
		{[]string{"re (?i)^WS/(?P<a>k+)/$", "re ^ws/(?i:K)", "re,name=k (?i)^1/a/$"}, []string{"/Ws/\u212ak/", "/ws/k", "/1/A/"}},
		{[]string{"re ^\ufffd/$", "path \ufffd/<a>/", "re ^[^/]/$", "re ^\u00e9/(.)$"}, []string{"/\xff/", "/\ufffd/", "/\xff/\xfe/", "/\u00e9/\xc3"}},
		{[]string{`re ^a\x{d800}b$`, `re ^\x{d800}$`, "re ^a.b$", "path \ufffd"}, []string{"/a\ufffdb", "/\ufffd", "/a\xed\xa0\x80b"}},
		{[]string{"re \\bws\\b", "re ^a/\\B", "re a^b", "re ^a$b", "re (?m)^x$", "re ^(?m:a$)\\n"}, []string{"/a ws b", "/aws", "/a/", "/a/b", "/x", "/y\nx", "/a\n"}},
		{[]string{"re ^ws/(.+?)/(.*?)$", "re ^ws/(\\w+?)", "re (?U)^x/(.*)/$"}, []string{"/ws/a/b/c", "/ws/abc", "/x/a/b/"}},
		{[]string{"re ^a(?:/b)?$", "re ^a(?:/b/|/c)d$", "re ^[/a]+x$", "re ^(?:a/)*y$"}, []string{"/a/b", "/a/b/d", "/a/cd", "/a/a/x", "/a/a/y"}},
		{[]string{"path ws/<a>/x/", "path ws/news/<b>/", "path ws/news/x/y/", "path ws/ne<a>/", "path ws/n<a>s/<b>/", "re ^ws/new", "path ws/newsx/"}, []string{"/ws/news/x/", "/ws/news/y/", "/ws/next/", "/ws/ns/a/", "/ws/newsx/"}},
		{[]string{"path a/a/a/", "path <a>/a/a/", "path a/<b>/a/", "path <a>/<b>/a/", "path a/a/<c>/", "path <a>/a/<c>/", "path a/<b>/<c>/", "path <a>/<b>/<c>/"}, []string{"/a/a/a/", "/a/a/b/", "/a/b/a/", "/b/a/a/", "/b/b/b/"}},
		{[]string{"path <a>/x/y/", "path a/b/y/", "path a/x/z/", "path <a>/<b>/z/"}, []string{"/a/x/y/", "/a/b/z/", "/a/x/z/"}},
		{[]string{"re x", "re ^b", "re .*c$", "re d$", "re ^$", "path e"}, []string{"/axb", "/bx", "/abc", "/d", "/", "/e", "/cde"}},
		{[]string{"path <path:a>", "path ", "re ^(?:x/)?$", "re .*"}, []string{"/", "/x", "/x/", "/\n"}},
		{[]string{"re ^ws/", "path ws/lobby/", "path ws/<int:a>/", "mount ws/", "re ws/", "re bar", "path foo/bar/<int:a>/", "path <a>/<b>/", "path ws/new/"}, []string{"/ws/lobby/", "/a/ws/", "/foo/bar/1/"}},
		{[]string{"path,name=d <path:a>", "mount,name=m <path:a>/", "\tpath,name=p <path:b>"}, []string{"/a/../b", "/./", "//evil.com/"}},
		{[]string{"re,name=x ^(?P<a>.*)$", "re,name=y ^(?P<a>/?)b/(?P<b>.*)$"}, []string{"//a", "/b/c", "/b/\\c?d#e%2f;f"}},
		{[]string{`re ^(.)(.)(.)(.)(.)(.)(.)(.)(.)(.)/$`, `re ^(?P<a>.)(?P<b>\d)?(.)?$`, `re ^(a)?(b)?(c)?$`}, []string{"/abcdefghij/", "/a", "/c", "/ac"}},
		{[]string{"re,name=x /|", `re,name=y ^(?:/|)(?P<a>[a-z.]+)/$`}, []string{"//", "//a.b/"}},
		{[]string{"mount ", "\tpath a/", "mount ", "\tmount ", "\t\tpath b/", "\tpath c/", "path b"}, []string{"/a/", "/b/", "/c/", "/a", "/b", "/c", "///"}},
		{[]string{"mount ws", "\tpath /x", "\tpath x/", "\tpath /", "path ws/y"}, []string{"/wsx/", "/ws/x/", "/ws//x/", "/ws/y", "/ws"}},
	}
}
