# One run at a time, which ends with all that it started; what a killed one or a bad disk has left is put right before the next.

TITLE = PLAN.suite.name if len(PLAN.suite.name) <= 50 else f"{PLAN.suite.name[:41]}-{sha256(PLAN.suite.name.encode()).hexdigest()[:8]}"
# of its jobs on Slurm, which takes no more than 50 letters


def stopped(number, _):
    """Ctrl-C, SIGTERM, a closed terminal: the jobs end with this process (`engine.process.bound`). It may have been interrupted where it held what the bar
    waits for, and nobody may read what it says: for both there is half a second."""
    last = threading.Thread(target=last_words, args=[signal.Signals(number).name], daemon=True)
    last.start()
    last.join(0.5)
    if workflow.persistence:
        workflow.persistence.unlock()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def last_words(name):
    with suppress(OSError):
        progress.close()
    with suppress(OSError):
        os.write(2, f"scorebench: stopped by {name}; the same command goes on\n".encode())


def stoppable():
    """What is ignored, as by nohup, stays so."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, stopped)


def queued():
    """The jobs of this suite, from this folder, in the queue of Slurm, where there is one."""
    asked = ["squeue", "--me", "--noheader", "--format=%A|%j|%Z"]
    rows = subprocess.run(asked, capture_output=True, text=True).stdout.splitlines() if shutil.which("squeue") else []
    split = [row.split("|", 2) for row in rows]
    return [job for job, name, folder in split if name.rpartition("_")[0] == TITLE and folder == os.getcwd()]


def taken_back():
    """What a killed run has left in a queue ends, before others write the same files."""
    if left := queued():
        print(f"scorebench: taken out of the queue, of a run that is gone: {' '.join(left)}", file=sys.stderr)
        subprocess.run(["scancel", *left])
        while queued():
            time.sleep(1)


def executed(executor_plugin, *arguments, execute=workflow.execute, **named):
    """Snakemake's own; before it the results become this process's alone, and what a killed one or a bad disk has left of them is put right."""
    how = executor_plugin.common_settings
    if workflow.is_main_process and not (how.dryrun_exec or how.touch_exec):
        try:
            own(OUT, Path(".snakemake"))
            if how.local_exec:
                stoppable()
            taken_back()
            if hasattr(settings := named.get("executor_settings"), "jobname_prefix"):
                settings.jobname_prefix = TITLE
            sweep(Path(OUT))
            prune(Path(".snakemake"))
            for name in (changed := damaged(PLAN, Path(OUT))):
                print(f"scorebench: {OUT}/{name} is damaged or edited: it is made again", file=sys.stderr)
                Path(OUT, name).unlink(missing_ok=True)
            if RerunTrigger.PARAMS in workflow.rerun_triggers:
                outdated(PLAN, Path(OUT), RESTS_ON, remembered(Path(OUT), Path(".snakemake")))
            if changed:
                given.keep(PLAN, Path(SUITE), Path(OUT))
        except (InputError, OSError) as error:
            lines = (surroundings(error, error.filename or OUT) if isinstance(error, OSError) else error).lines
            sys.exit("\n".join(f"scorebench: {line}" for line in lines))
    return execute(executor_plugin, *arguments, **named)


def tidied():
    """After a run of all of it no file is left of what the suite no longer has."""
    if not workflow.touch and any(job.rule.name == "all" for job in workflow.dag.jobs):
        gone = remove(PLAN, Path(OUT), Path(".snakemake"))
        if gone:
            print(f"scorebench: removed from {OUT}: {gone} files of what the suite no longer has", file=sys.stderr)


workflow.execute = executed
