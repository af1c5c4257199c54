# One run at a time, which ends with all that it started; what a killed one or a bad disk has left is put right before the next.


def stopped(number, _):
    """Ctrl-C, SIGTERM, a closed terminal: the jobs end with this process (`engine.process.bound`)."""
    with suppress(OSError):
        progress.close()
        print(f"scorebench: stopped by {signal.Signals(number).name}; the same command goes on", file=sys.stderr, flush=True)
    if workflow.persistence:
        workflow.persistence.unlock()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def stoppable():
    """What is ignored, as by nohup, stays so."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stopped)


def executed(executor_plugin, *arguments, execute=workflow.execute, **named):
    """Snakemake's own; before it the results become this process's alone, and what a killed one or a bad disk has left of them is put right."""
    how = executor_plugin.common_settings
    if workflow.is_main_process and not (how.dryrun_exec or how.touch_exec):
        try:
            own(OUT, Path(".snakemake"))
            if how.local_exec:
                stoppable()
            sweep(Path(OUT))
            for name in (changed := damaged(PLAN, Path(OUT))):
                print(f"scorebench: {OUT}/{name} is damaged or edited: it is made again", file=sys.stderr)
                Path(OUT, name).unlink()
            if changed:
                given.keep(PLAN, Path(SUITE), Path(OUT))
        except (InputError, OSError) as error:
            lines = (surroundings(error, error.filename or OUT) if isinstance(error, OSError) else error).lines
            sys.exit("\n".join(f"scorebench: {line}" for line in lines))
    return execute(executor_plugin, *arguments, **named)


workflow.execute = executed
